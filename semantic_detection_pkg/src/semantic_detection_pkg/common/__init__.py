"""What several rooms need and none owns: frames, detections, optics, pictures, configuration."""
