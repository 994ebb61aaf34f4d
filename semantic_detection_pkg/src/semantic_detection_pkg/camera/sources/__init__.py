"""Frame sources behind one protocol, one file each, and the thread that reads them. No ROS."""
