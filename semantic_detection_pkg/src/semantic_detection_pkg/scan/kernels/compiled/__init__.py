"""The kernels in Cython (`*.pyx`), compiled by `make build`.

They trust their arguments: the modules of `core` that call them have them right. One module for
each module of `kernels.twins`, with the same names and arguments.
"""
