"""Pictures of scenes, of which every image has the same stretch."""
