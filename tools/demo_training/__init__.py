"""Trains, exports and judges the two small demo models on the simulated world.

views.py says where to look, samples.py renders and labels, then for each model a network, its
training and its evaluation. `tools/train_demo_model.py` runs it all.
"""
