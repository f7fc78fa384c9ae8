"""The land: what stands where, what it is made of, and the light on it."""
