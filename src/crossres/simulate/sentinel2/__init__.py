"""What Sentinel-2 sees of the land, as an L2A scene with its item."""
