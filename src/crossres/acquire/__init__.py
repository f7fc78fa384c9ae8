"""From a search to analysis-ready scenes: catalogues of one's own files, search, pairing, download, calibration."""
