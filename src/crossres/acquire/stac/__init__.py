"""STAC: items, their hrefs, time ranges and checksums, and the catalogues and APIs that hand them out."""
