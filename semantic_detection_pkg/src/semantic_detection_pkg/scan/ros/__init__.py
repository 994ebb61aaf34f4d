"""Parameters, messages and the action of the scan."""
