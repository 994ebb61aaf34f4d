"""Questions and verdicts: no ROS, sockets, files or clocks."""
