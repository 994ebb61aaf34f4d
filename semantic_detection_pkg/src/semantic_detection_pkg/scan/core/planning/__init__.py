"""Plan where to look next: the sweep of an area, and close views of candidates."""
