"""Camera, detector, scan controller, recorder, GPU arbiter, health monitor, dashboard."""
