"""The door: whatever a person or a catalogue names becomes an item, and one reader makes a scene of it."""
