"""Convert between core types and messages."""
