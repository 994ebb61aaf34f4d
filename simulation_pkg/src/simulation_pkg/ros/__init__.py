"""The simulated camera's ties to the graph."""
