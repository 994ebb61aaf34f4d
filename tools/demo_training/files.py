"""Names of the demo's models."""

DETECTOR_FILE, CLASSIFIER_FILE = "demo_detector.onnx", "demo_classifier.onnx"
