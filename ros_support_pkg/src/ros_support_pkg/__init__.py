"""What the nodes of all packages share; nothing here knows what a node does."""
