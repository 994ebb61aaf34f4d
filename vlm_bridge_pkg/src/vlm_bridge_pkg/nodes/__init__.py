"""One node: convert in, run a session, convert out."""
