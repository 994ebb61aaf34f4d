"""The machine we run on, as the kernel's files show it."""
