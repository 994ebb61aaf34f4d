"""Frames from any source: the sources, the thread that reads them, their way to other processes."""
