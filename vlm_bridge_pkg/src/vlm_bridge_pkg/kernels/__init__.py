"""Numeric functions behind documented Python."""
