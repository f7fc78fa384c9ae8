"""The model itself: network, prior module, standardisation, and its file on disk."""
