"""Who may compute on the GPU: a state machine without clock, threads, files or ROS."""
