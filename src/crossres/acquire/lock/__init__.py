"""Lock files: the scenes and pairs of a finished run with their checksums, written and held to."""
