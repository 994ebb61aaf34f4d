"""Camera, open-vocabulary detector, scan controller, recorder, GPU arbiter, health monitor and dashboard of semantic detection."""
