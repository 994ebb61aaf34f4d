"""Benchmarks: figures side by side in one run, in one table and one file.

Each module here that has a `rows()` is a part; it yields `Row`s. `make bench ONLY=gimbal` runs the
parts or rows whose names begin so.
"""
