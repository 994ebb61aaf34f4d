"""The VLM service: HTTP on a Unix socket in front of one model.

Runs in the model's container, without ROS: Python 3.10, standard library, and the model's own
library in its loader.
"""
