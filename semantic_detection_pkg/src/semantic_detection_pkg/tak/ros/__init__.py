"""Requests of teams as commands of the graph."""
