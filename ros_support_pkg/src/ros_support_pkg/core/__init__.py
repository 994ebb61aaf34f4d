"""What all packages share and what knows no ROS."""
