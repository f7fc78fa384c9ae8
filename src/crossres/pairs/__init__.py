"""From aligned pairs to a patch dataset: extraction, quality, splits by place, the zarr."""
