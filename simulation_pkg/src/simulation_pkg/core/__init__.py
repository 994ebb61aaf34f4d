"""The world, its truth, and scores against it. Pure."""
