"""Memory, GPU, heat, disk and rates; what is shed when the machine runs short."""
