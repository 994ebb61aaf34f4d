"""A simulated robot without ROS and without waiting: world, camera, gimbal, models, and a score.

Time is simulated: it runs as fast as the machine renders. Ground truth is read in `truth.py`, and
in `rig.py` by the stand-in for the vision-language model, which says so.
"""
