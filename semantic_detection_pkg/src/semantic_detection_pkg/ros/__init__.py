"""Between core types and ROS: conversions. Nothing that decides."""
