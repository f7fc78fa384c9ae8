"""Imagery: scenes as labelled arrays on a grid, how they are opened and written, and what goes through their pixels."""
