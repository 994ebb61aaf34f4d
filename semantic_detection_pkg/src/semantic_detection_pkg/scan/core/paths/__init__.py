"""The course of footpaths: skeletons of their masks, geometry in angles, following to the ends.

skeleton.py works on pixels, geometry.py turns its result into angles, traversal.py decides where to
look next.
"""
