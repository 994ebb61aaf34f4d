"""Between the bridge and ROS."""
