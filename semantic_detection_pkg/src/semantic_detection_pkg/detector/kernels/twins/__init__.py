"""The kernels in NumPy and OpenCV: what the compiled ones must equal, and what runs without them.

One module for each module of `kernels.compiled`, with the same names and arguments.
"""
