"""The picture to touch: a map page of a run's images, served on this machine alone."""
