"""The page for many: how old the pictures are, and what they cost.

A camera of 1080p pictures and the dashboard run as processes of their own, as on the robot; the
viewers are WebSocket clients in this process, on loopback. A picture's age is measured here, from
the capture stamp of its frame to its last byte, for every picture of every viewer.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import struct
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from bench.row import Row

ROWS = ("dashboard_age_p95_ms", "dashboard_encodes_per_picture", "dashboard_cpu_cores")

_ROOT = Path(__file__).resolve().parent.parent
_VIEWERS = 20
_SECONDS = 10.0
_WARM_UP_S = 2.0
_RATE_HZ = 10

_GRAPH = """\
launch:
  - node: {{pkg: semantic_detection_pkg, exec: camera, param: [
      {{name: source, value: "images:{pictures}?loop=1&rate={rate}"}}]}}
  - node: {{pkg: semantic_detection_pkg, exec: dashboard, param: [{{name: port, value: {port}}}]}}
"""


def rows() -> Iterator[Row]:
    sys.path[:0] = [str(_ROOT / "tools")]
    with tempfile.TemporaryDirectory(prefix="dashboard") as folder:
        ages_ms, encodes_per_picture, cores = _measure(Path(folder))
    yield Row("dashboard_age_p95_ms", statistics.quantiles(ages_ms, n=20)[-1], "ms", goal=250.0)
    yield Row("dashboard_encodes_per_picture", encodes_per_picture, "", goal=1.0)
    yield Row("dashboard_cpu_cores", cores, "cores")


def _measure(folder: Path) -> tuple[list[float], float, float]:
    """Ages [ms], encodes for each different picture, processor time of the dashboard [cores]."""
    from free_port import free_port
    from launch_runner import LaunchSession
    from ros_graph import isolated_domain

    port = free_port()
    _write_pictures(folder)
    file = folder / "graph.launch.yaml"
    file.write_text(_GRAPH.format(pictures=folder, rate=_RATE_HZ, port=port))
    with isolated_domain() as environment:
        os.environ.update(environment)
        with LaunchSession(str(file), timeout_s=60.0) as launch:
            launch.wait_for_start("dashboard")
            _wait_for_health(port)
            process = psutil.Process(launch.processes["dashboard-2"].pid)
            return asyncio.run(_watch(port, process))


async def _watch(port: int, process: psutil.Process) -> tuple[list[float], float, float]:
    seen: list[tuple[int, float]] = []  # stamp [ns] and age [ms] of each picture of each viewer
    viewers = [asyncio.create_task(_view(port, seen)) for _ in range(_VIEWERS)]
    await asyncio.sleep(_WARM_UP_S)
    seen.clear()
    encoded, cpu_s, start_s = await asyncio.to_thread(_encoded, port), _cpu_s(process), time.time()
    await asyncio.sleep(_SECONDS)
    encoded = await asyncio.to_thread(_encoded, port) - encoded
    cores = (_cpu_s(process) - cpu_s) / (time.time() - start_s)
    shown = list(seen)
    for viewer in viewers:
        viewer.cancel()
    await asyncio.wait(viewers)
    for viewer in viewers:
        if not viewer.cancelled():
            viewer.result()  # raises why it ended before
    different = len({stamp_ns for stamp_ns, _ in shown})
    if len(shown) < 0.5 * _VIEWERS * _RATE_HZ * _SECONDS:
        raise RuntimeError(f"only {len(shown)} pictures came to {_VIEWERS} viewers")
    print(f"{len(shown)} pictures of {different} frames to {_VIEWERS} viewers", file=sys.stderr)
    # Pictures that are under way at either end are seen or encoded, not both.
    return [age_ms for _, age_ms in shown], round(encoded / different, 1), cores


async def _view(port: int, seen: list[tuple[int, float]]) -> None:
    async with connect(f"ws://127.0.0.1:{port}/api/live", max_size=None) as line:
        await line.send(json.dumps({"look": True}))
        async for data in line:
            await _take(line, data, seen)


async def _take(line: ClientConnection, data: str | bytes, seen: list[tuple[int, float]]) -> None:
    if isinstance(data, str):
        header = json.loads(data)
    else:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        stamp_ns = int(header["stamp_ns"])
        seen.append((stamp_ns, 1e-6 * (time.time_ns() - stamp_ns)))
    await line.send(json.dumps({"ack": header["n"]}))


def _encoded(port: int) -> int:
    """Pictures that the dashboard has encoded, as it says itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("semantic_detection_pictures_encoded_pictures_total "):
                return int(float(line.split()[1]))
    raise RuntimeError("the dashboard does not tell how many pictures it encoded")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _wait_for_health(port: int) -> None:
    end_s = time.monotonic() + 30.0
    while time.monotonic() < end_s:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the dashboard did not come up within 30 s")


def _write_pictures(folder: Path) -> None:
    """1080p pictures with as much in them as a landscape has, so that their JPEG is not small."""
    import cv2
    import numpy as np

    random = np.random.default_rng(7)
    for number in range(4):
        coarse = random.integers(0, 255, (68, 120, 3), np.uint8)
        picture = cv2.resize(coarse, (1920, 1080), interpolation=cv2.INTER_CUBIC)
        noise = random.integers(0, 24, picture.shape, np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.add(picture, noise))
