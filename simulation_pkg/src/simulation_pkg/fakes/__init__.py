"""Stand-ins for a camera and an engine, with switches for what goes wrong with real ones."""
