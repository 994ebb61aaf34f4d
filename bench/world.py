"""The simulated world: processor time of a picture, and of the camera that shows it.

A picture by the compiled kernels against one by their twins, in turns, of a camera that sweeps, of
one that stands still (whose ground stays) and of one that looks closely. What the twins share with
them, geometry and the ground that stays, is in both times. Processor time of all threads: OpenCV
and a BLAS bring their own.

The camera's cores: a process that reads the source `sim:` at 15 Hz while the gimbal sweeps.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module

from bench.row import Row
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer

_SEED = 7  # of the demo
_PICTURES = 25
_RATE_HZ = 15.0
_SECONDS = 6.0
_GOAL_CORES = 0.35
_POSES = {
    "sweep": [CameraPose(-1.0 + 0.08 * i, 0.38, yaw_rate_rad_s=0.4) for i in range(_PICTURES)],
    "still": [CameraPose(-0.5, 0.38)] * _PICTURES,
    "close": [CameraPose(0.2 + 0.003 * i, 0.36, zoom=6.0) for i in range(_PICTURES)],
}
ROWS = (
    *(f"world_render_{name}_ms" for name in _POSES),
    *(f"world_render_{name}_speedup" for name in _POSES),
    "world_render_error_levels",
    "world_camera_cores",
    "world_camera_still_cores",
)


def rows() -> Iterator[Row]:
    twin = import_module("simulation_pkg.kernels.twins.scene")
    world = build_world(WorldLayout(_SEED))
    ours, theirs = Renderer(world, Lens()), Renderer(world, Lens(), version=twin)
    errors = []
    for pose in _POSES["sweep"]:  # draws looks, which are kept
        ours.render(pose)
        theirs.render(pose)
    for name, poses in _POSES.items():
        times_ms: tuple[list[float], list[float]] = ([], [])
        for number, pose in enumerate(poses):
            images = []
            for renderer, taken in zip((ours, theirs), times_ms, strict=True):
                start_s = time.process_time()
                images.append(renderer.render(pose, number / _RATE_HZ, number).image)
                taken.append(1e3 * (time.process_time() - start_s))
            errors.append(abs(images[0].astype(int) - images[1]).mean())
        # The first draw the ground that stays, and looks of a size that is new.
        ours_ms, theirs_ms = (statistics.median(taken[3:]) for taken in times_ms)
        goal = 1e3 * _GOAL_CORES / _RATE_HZ
        yield Row(f"world_render_{name}_ms", ours_ms, "ms", goal=goal, baseline=theirs_ms)
        speedup = theirs_ms / ours_ms
        yield Row(f"world_render_{name}_speedup", speedup, "x", better="higher", baseline=theirs_ms)
    yield Row("world_render_error_levels", max(errors), "", goal=2.0)
    yield Row("world_camera_cores", _camera_cores(0.4), "cores", goal=_GOAL_CORES)
    yield Row("world_camera_still_cores", _camera_cores(0.0), "cores", goal=_GOAL_CORES)


def _camera_cores(turning_rad_s: float) -> float:
    """Cores of a process whose simulated camera turns to and fro, start-up taken off."""
    command = [sys.executable, "-m", "bench.world", str(turning_rad_s)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _show(turning_rad_s: float) -> float:
    from semantic_detection_pkg.camera.core.uri import CameraUri
    from simulation_pkg.camera import open_source

    start_s = time.monotonic()

    def pose_at(_: int) -> CameraPose:
        angle = (time.monotonic() - start_s) * turning_rad_s
        return CameraPose(0.8 * math.sin(angle), 0.38, yaw_rate_rad_s=0.8 * math.cos(angle))

    uri = CameraUri.parse(f"sim:{_SEED}?rate={_RATE_HZ:g}")
    camera = open_source(uri, time.time_ns, pose_at if turning_rad_s else None)
    for _ in range(10):
        camera.read()
    begin_s, used_s, pictures = time.monotonic(), time.process_time(), 0
    while time.monotonic() - begin_s < _SECONDS:
        camera.read()
        pictures += 1
        time.sleep(max(0.0, begin_s + pictures / _RATE_HZ - time.monotonic()))
    # By pictures, not by time: on a busy machine there are fewer, which is no saving.
    return (time.process_time() - used_s) / pictures * _RATE_HZ


if __name__ == "__main__":
    print(_show(float(sys.argv[1])))
