"""Sentinel Hub: its catalogue and the windows of its Process API, on the account of whoever runs it."""
