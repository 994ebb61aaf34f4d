"""The course of footpaths: skeletons of their masks, geometry in angles, walking them to the ends.

skeleton.py works on pixels, geometry.py turns its result into angles, walk.py decides where to look
next.
"""
