"""Measures how likely a detector reports a thing by its size, and writes it beside the model."""
