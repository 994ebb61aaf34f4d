"""Pictures in, detections with masks out; the classifier's closer look."""
