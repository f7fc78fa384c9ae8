"""One radiometry for a registered pair."""
