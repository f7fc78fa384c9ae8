"""What Gaofen-2 sees of the land, as an L1A package."""
