"""Results: what all scenes say together, and what follows from it."""
