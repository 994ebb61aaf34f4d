"""Track objects in bearing space over frames, slews and zoom changes.

`Tracker` (tracker.py) turns the detections of each frame and the view at its capture into `Track`s
(track.py). `DelayEstimator` (delay.py) finds by how much pictures and poses are out of step.
"""
