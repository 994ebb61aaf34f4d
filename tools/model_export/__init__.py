"""Making models: exports on a workstation, plans on the device. See docs/models.md."""
