"""Bands of an item that are georeferenced already: where they are, what their numbers mean, and their pixels."""
