"""Pure values and geometry: standard library, NumPy, `common.kernels`."""
