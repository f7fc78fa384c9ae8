"""From pixels to pixels of another grid: the displacement field, and HR blurred or resampled through it."""
