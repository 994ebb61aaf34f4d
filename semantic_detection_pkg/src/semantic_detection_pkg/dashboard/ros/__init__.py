"""Feed the page from the graph, and carry its commands there."""
