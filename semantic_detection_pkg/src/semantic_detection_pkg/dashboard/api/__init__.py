"""The web server of the page: HTTP, WebSocket, metrics. No ROS."""
