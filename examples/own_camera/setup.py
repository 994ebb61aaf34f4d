"""A package with one camera source; its scheme is the name of the entry point."""

from setuptools import setup

setup(
    name="stripes_camera",
    version="0.1.0",
    py_modules=["stripes_camera"],
    entry_points={"semantic_detection.cameras": ["stripes = stripes_camera"]},
)
