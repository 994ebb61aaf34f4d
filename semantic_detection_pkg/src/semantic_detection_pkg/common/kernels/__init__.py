"""Outlines of masks and drawing: OpenCV behind documented functions."""
