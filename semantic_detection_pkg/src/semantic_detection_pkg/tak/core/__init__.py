"""What is told in TAK's words; no socket, no clock."""
