"""Messages of the graph as what is told, and back."""
