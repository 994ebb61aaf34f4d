"""A photograph as the world."""
