"""The kernels in NumPy: where nothing was compiled, and for tests to compare with."""
