"""A recorded scan decided again: which inputs each step had, what it came to, what differs."""
