"""The compiled kernels' twins in NumPy and OpenCV: the same within bounds that tests state."""
