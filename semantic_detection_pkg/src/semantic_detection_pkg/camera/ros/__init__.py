"""Publish and receive frames."""
