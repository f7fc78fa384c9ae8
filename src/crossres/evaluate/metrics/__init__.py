"""Metrics: numbers from the pixels of one scene."""
