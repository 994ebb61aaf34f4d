"""The kernels in Cython (`*.pyx`) and C loops (`*.h`), compiled by `make build`.

They trust their arguments: the documented modules of `kernels` check them. One module for each
module of `kernels.twins`, with the same names and arguments.
"""
