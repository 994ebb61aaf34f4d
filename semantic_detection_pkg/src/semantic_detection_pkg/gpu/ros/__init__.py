"""Bring the detector up and down through its lifecycle."""
