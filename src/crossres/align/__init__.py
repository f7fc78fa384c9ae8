"""Alignment of a pair: registration of HR to LR, then one radiometry for both."""
