"""Command-line tools: arguments in, core once, text out. No ROS."""
