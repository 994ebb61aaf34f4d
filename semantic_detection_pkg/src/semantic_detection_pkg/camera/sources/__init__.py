"""Kinds of camera behind one protocol, one file each, imported when asked for. No ROS."""
