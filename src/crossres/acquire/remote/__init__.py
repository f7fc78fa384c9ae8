"""Files on servers: signed, asked for by ranges, and read through what servers and lines do."""
