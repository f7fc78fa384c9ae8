"""Tie points: windows of two images, and where one shows what the other does."""
