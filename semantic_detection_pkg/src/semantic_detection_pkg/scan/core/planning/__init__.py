"""Where to look next: the sweep of an area, close views of candidates."""
