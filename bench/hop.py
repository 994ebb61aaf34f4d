"""From the camera to the detector: a 1080p frame between two processes.

From the frame in hand of the writer to the view in the reader's callback, in the executor of a
node, at 25 frames a second. The baseline is a typed `sensor_msgs/Image` as rclpy sends it by
itself; the tuned one has the Fast DDS profile and the memory settings of the launch files.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.row import Row

ROWS = (
    "hop_1080p_p50_ms",
    "hop_1080p_p95_ms",
    "hop_copied_1080p_p50_ms",
    "hop_image_tuned_1080p_p50_ms",
    "hop_image_1080p_p50_ms",
    "hop_speedup",
    "hop_speedup_copied",
    "hop_speedup_tuned",
)

_ROOT = Path(__file__).resolve().parent.parent
_TIMEOUT_S = 120.0

#: As in launch/robot.launch.yaml.
_TUNED = {
    "FASTRTPS_DEFAULT_PROFILES_FILE": str(_ROOT / "config/fastdds_images.xml"),
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "33554432",
}


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    lent, copied = _measure("lent"), _measure("copied")
    tuned, plain = _measure("image", _TUNED), _measure("plain")
    p50 = statistics.median
    yield Row("hop_1080p_p50_ms", p50(lent), "ms", goal=1.0, baseline=p50(plain))
    yield Row("hop_1080p_p95_ms", statistics.quantiles(lent, n=20)[-1], "ms")
    yield Row("hop_copied_1080p_p50_ms", p50(copied), "ms", baseline=p50(plain))
    yield Row("hop_image_tuned_1080p_p50_ms", p50(tuned), "ms", baseline=p50(plain))
    yield Row("hop_image_1080p_p50_ms", p50(plain), "ms")
    speedup = p50(plain) / p50(lent)
    yield Row("hop_speedup", speedup, "x", goal=30.0, better="higher", baseline=p50(plain))
    yield Row("hop_speedup_copied", p50(plain) / p50(copied), "x", better="higher")
    yield Row("hop_speedup_tuned", p50(tuned) / p50(lent), "x", better="higher")


def _measure(way: str, settings: Mapping[str, str] | None = None) -> list[float]:
    """Latencies [ms] of one way, in processes with these environment variables."""
    from ros_graph import isolated_domain

    with isolated_domain() as domain:
        environment = {**os.environ, **domain, **(settings or {})}

        def start(role: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "bench.hop_end", role, way]
            pipe = subprocess.PIPE
            return subprocess.Popen(
                command, cwd=_ROOT, env=environment, stdin=pipe, stdout=pipe, text=True
            )

        with start("read") as reader, start("write") as writer:
            try:
                writer.communicate(timeout=_TIMEOUT_S)
                lines, _ = reader.communicate(timeout=_TIMEOUT_S)
            finally:
                writer.kill()
                reader.kill()
    latencies_ms: list[float] = json.loads(lines.splitlines()[-1])
    # The first ones find fresh memory and a discovery that has not ended.
    return latencies_ms[10:]
