"""Drawing of the simulated world: NumPy and OpenCV."""
