"""Adapters to the kernel and the other container; no ROS, standard library only."""
