"""Pure logic: standard library, NumPy and `kernels` only. No ROS, threads, clock or files."""
