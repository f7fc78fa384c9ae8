"""Registration of HR to LR: tie points, a displacement field, one resampling."""
