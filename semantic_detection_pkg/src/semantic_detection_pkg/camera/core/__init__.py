"""Read camera URIs. Pure."""
