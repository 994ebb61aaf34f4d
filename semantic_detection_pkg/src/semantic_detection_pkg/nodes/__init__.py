"""One node each: convert in, call core once, convert out, publish."""
