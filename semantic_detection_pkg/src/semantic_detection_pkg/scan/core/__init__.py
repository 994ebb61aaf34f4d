"""The scan: sweep an area, look closer at what might match, decide, come back. All is pure."""
