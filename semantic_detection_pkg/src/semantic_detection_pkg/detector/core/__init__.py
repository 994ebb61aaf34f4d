"""Letterbox, layouts of models, decoding, vocabulary. Pure."""
