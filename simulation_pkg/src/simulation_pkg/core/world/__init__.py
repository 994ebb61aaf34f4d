"""The simulated world: what is in it, where the camera sees it, how it looks.

Pure: NumPy and the kernels only. Time, pose and seed are arguments; the same arguments give the
same pixels. `World` (layout.py) says what is there, `Renderer` (render.py) shows it through a
`Lens` and a `Pose` (geometry.py) and reports the truth (truth.py).
"""
