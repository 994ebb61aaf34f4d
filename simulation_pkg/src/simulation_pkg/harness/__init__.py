"""A simulated robot without ROS and without waiting, for tests and benchmarks, and a score.

A scan controller is closed over a robot by `scan_harness`: without pixels in `exact_scan`, with
the world's camera and the demo's models in `rendered_scan`. `baselines` search the same worlds by
simple schemes, `following` follows what moves. Time is simulated: it runs as fast as the machine
computes. Ground truth is read in `scores`, and in `robot` by the stand-in for the vision-language
model, which says so. `scan_recording` writes scans as bags; `gpu_processes` and `gpu_faults` are
processes around one GPU, which do run in real time.
"""
