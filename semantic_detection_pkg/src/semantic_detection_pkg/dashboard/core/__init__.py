"""What the dashboard computes: which frame belongs to which detections, labels, figures."""
