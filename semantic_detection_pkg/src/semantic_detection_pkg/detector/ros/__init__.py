"""Parameters and messages of the detector."""
