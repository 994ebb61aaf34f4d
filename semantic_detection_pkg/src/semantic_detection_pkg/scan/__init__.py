"""Sweep an area, look closer at what might match, decide, come back."""
