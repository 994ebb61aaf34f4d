"""How frames get from the camera to other processes on the machine, without ROS.

`protocol` says what every transport does; one module for each kind does it.
"""
