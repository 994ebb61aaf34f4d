"""What the scan keeps on the disk: its checkpoint, and who writes it when."""
