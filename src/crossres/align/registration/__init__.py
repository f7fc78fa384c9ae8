"""Registration of HR to LR: matching and a field in turn, until they agree."""
