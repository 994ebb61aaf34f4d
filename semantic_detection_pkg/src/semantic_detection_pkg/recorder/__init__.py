"""The ring of bags, events with their evidence, and replay."""
