"""The page on port 8080: a web server without ROS, fed and obeyed by `ros.dashboard`."""
