"""Typed settings, one module per section of `config.yaml`, so that a stage imports (and depends on) only its own."""
