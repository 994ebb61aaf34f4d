"""Files that are made from the code, so that no fact stands in two places.

`make docs` writes them, `test/test_generated.py` fails when one is out of date.
"""
