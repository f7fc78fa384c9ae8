"""Cross-sensor super-resolution of satellite images, as one reproducible workflow."""
