"""From a patch dataset to a model folder."""
