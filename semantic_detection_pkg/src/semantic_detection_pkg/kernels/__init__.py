"""Numeric functions over arrays: NumPy and OpenCV only. Callers check the input."""
