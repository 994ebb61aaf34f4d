"""The recorder at work: 1080p JPEG at 30 Hz with all topics, and the ring turning over.

Publishers run in a process of their own, at the rates of the graph; what they sent is compared with
what an independent reader finds in the bag. The processor's share is that of the node's process.
`BENCH_RECORDER_SECONDS` sets how long (60).
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from bench.row import Row

ROWS = (
    "recorder_drops",
    "recorder_cpu_cores",
    "recorder_mb_s",
    "recorder_turnover_overshoot",
    "recorder_turnover_mb_s",
    "recorder_repair_1000_s",
)

_ROOT = Path(__file__).resolve().parent.parent
_PROFILE = _ROOT / "config/fastdds_images.xml"
_SECONDS = float(os.environ.get("BENCH_RECORDER_SECONDS", "60"))
_WARM_UP_S = 2.0
_JPEG_BYTES = 410_000  # of 1080p at quality 85
_RATES_HZ = {
    "camera/image_raw/compressed": 30.0,
    "camera/camera_info": 30.0,
    "detections": 30.0,
    "scan/tracks": 30.0,
    "gimbal/state": 50.0,
    "joint_states": 50.0,
    "scan/journal": 20.0,
    "scan/state": 5.0,
    "scan/coverage": 1.0,
    "gpu/state": 1.0,
    "health/level": 1.0,
    "findings": 0.2,
}
_BUDGET_BYTES, _SEGMENT_BYTES = 64_000_000, 8_000_000
_TURNOVERS = 10


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    # Not where temporary files are: that may be memory.
    output = _ROOT / "output"
    output.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="recorder", dir=output) as folder:
        drops, cores, mb_s = _live(Path(folder) / "live")
        yield Row("recorder_drops", drops, "", goal=0.0)
        yield Row("recorder_cpu_cores", cores, "cores", goal=0.35)
        yield Row("recorder_mb_s", mb_s, "MB/s", better="higher")
        overshoot, turnover_mb_s = _turnover(Path(folder) / "ring")
        yield Row("recorder_turnover_overshoot", overshoot, "segments", goal=1.0)
        yield Row("recorder_turnover_mb_s", turnover_mb_s, "MB/s", better="higher")
        repair_s = _repair_s(Path(folder) / "repair")
        yield Row("recorder_repair_1000_s", repair_s, "s", goal=5.0)


# ------------------------------------------------------------------------------- the node


def _live(output: Path, *options: str) -> tuple[int, float, float]:
    """Messages that are not in the bag, the node's share of a core, and what it wrote."""
    from ament_index_python.packages import get_package_prefix
    from ros_graph import isolated_domain

    package = "semantic_detection_pkg"
    command = [
        str(Path(get_package_prefix(package)) / "lib" / package / "recorder"),
        *("--ros-args", "-p", f"output_dir:={output}", "-p", "min_free_mb:=0", *options),
    ]
    context = multiprocessing.get_context("spawn")
    with isolated_domain() as environment:
        os.environ.update(environment)
        ours, theirs = context.Pipe()
        publishers = context.Process(target=_publish, args=(theirs,), daemon=True)
        with subprocess.Popen(command) as process:
            try:
                # Whole pictures through shared memory, as the launch file has it for the camera.
                os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(_PROFILE)
                publishers.start()
                del os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"]
                theirs.close()  # so that their end ends our waiting
                ours.recv()  # all topics are subscribed to and warm
                node = psutil.Process(process.pid)
                before, start_s = node.cpu_times(), time.monotonic()
                sent, since_ns = ours.recv()
                after, elapsed_s = node.cpu_times(), time.monotonic() - start_s
                process.send_signal(signal.SIGTERM)
                process.wait(30.0)
            finally:
                process.kill()
                publishers.terminate()
    found, size = _recorded(output / "ring", since_ns)
    missing = {topic: count - found[f"/{topic}"] for topic, count in sent.items()}
    lost = {topic: count for topic, count in missing.items() if count}
    print(f"  sent {sum(sent.values())}, not in the bag: {lost or 'none'}", file=sys.stderr)
    used_s = after.user + after.system - before.user - before.system
    return sum(missing.values()), used_s / elapsed_s, size / 1e6 / elapsed_s


def _recorded(ring: Path, since_ns: int) -> tuple[Counter[str], int]:
    """Messages in the bag by topic that were sent since then, and the bytes of all files."""
    from rosbags.highlevel import AnyReader

    found: Counter[str] = Counter()
    with AnyReader([ring]) as reader:
        for connection, _, data in reader.messages(start=since_ns):
            found[connection.topic] += _MARK in data[:200]
    return found, sum(path.stat().st_size for path in ring.glob("*.mcap"))


_MARK = b"benchmark"  # the frame_id of what counts; the warm-up has another


def _publish(pipe: Connection) -> None:
    """Publish at the rates of the graph; tell what was sent."""
    import rclpy
    from rclpy.node import Node

    from semantic_detection_pkg.recorder.ros.topics import message_class, sources

    rclpy.init()
    node = Node("stand_in")
    sends: list[tuple[float, str, Any, Any]] = []
    for source in sources(with_frames=True):
        if source.name in _RATES_HZ:
            kind = message_class(source.type_name)
            publisher = node.create_publisher(kind, source.name, source.qos)
            sends.append((1.0 / _RATES_HZ[source.name], source.name, publisher, _filled(kind)))
    while not all(publisher.get_subscription_count() for _, _, publisher, _ in sends):
        time.sleep(0.05)
    _play(sends, "warm-up", _WARM_UP_S)
    pipe.send("warm")
    since_ns = time.time_ns()
    sent = _play(sends, _MARK.decode(), _SECONDS)
    time.sleep(1.0)  # what is under way arrives before the node is told to end
    pipe.send((sent, since_ns))
    with contextlib.suppress(EOFError):
        pipe.recv()  # the publishers stay until the node has ended


def _play(sends: list[tuple[float, str, Any, Any]], mark: str, seconds: float) -> Counter[str]:
    sent: Counter[str] = Counter()
    start_s = time.monotonic()
    due_s = [start_s] * len(sends)
    for _, _, _, message in sends:
        message.header.frame_id = mark
    while (now_s := time.monotonic()) < start_s + seconds:
        for index, (period_s, name, publisher, message) in enumerate(sends):
            if now_s >= due_s[index]:
                due_s[index] += period_s
                seconds_ns = divmod(time.time_ns(), 1_000_000_000)
                message.header.stamp.sec, message.header.stamp.nanosec = seconds_ns
                publisher.publish(message)
                sent[name] += 1
        time.sleep(max(0.0, min(due_s) - time.monotonic()))
    return sent


def _filled(kind: Any) -> Any:
    """A message of about the size that it has in flight."""
    import array

    message = kind()
    fields = message.get_fields_and_field_types()
    if "format" in fields:
        message.format, message.data = "jpeg", array.array("B", os.urandom(_JPEG_BYTES))
    elif "boxes_xyxy" in fields:  # 20 objects with outlines
        message.vocabulary = ["tent", "person", "footpath"]
        message.class_ids, message.scores = [0] * 20, [0.5] * 20
        message.boxes_xyxy = [100.0] * 80
        message.ring_counts, message.ring_sizes = [1] * 20, [40] * 20
        message.points_xy = [1.0] * 1600
    elif "inputs" in fields:
        message.inputs = message.decision = json.dumps({"key": list(range(100))})
    elif "pixels_per_rad" in fields:
        message.age_s, message.pixels_per_rad = [1.0] * 2000, [1.0] * 2000
        message.results = [0] * 2000
    return message


# ------------------------------------------------------------------------------- the ring


def _turnover(output: Path) -> tuple[float, float]:
    """Most by which the ring exceeded its budget, in segments, and how fast it was written."""
    from semantic_detection_pkg.recorder.core.events import EventRules
    from semantic_detection_pkg.recorder.core.ring import RingRules
    from semantic_detection_pkg.recorder.storage.disk import Disk
    from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
    from simulation_pkg.harness.recorded_messages import START_NS, counted

    output.mkdir()
    rules = RingRules(_BUDGET_BYTES, 0, _SEGMENT_BYTES, 3600.0)
    session = RecordingSession(output, SessionSettings(rules, EventRules(1, 0.0, 0.0)), Disk())
    session.open()
    frame = counted(0, START_NS, _JPEG_BYTES)
    count = _TURNOVERS * _BUDGET_BYTES // len(frame.data)
    most, start_s = 0, time.perf_counter()
    for number in range(count):
        stamped = frame._replace(received_ns=START_NS + number)
        session.write(deque([stamped]), time.monotonic())
        session.tick(time.monotonic())
        if number % 4 == 0:
            most = max(most, sum(p.stat().st_size for p in output.glob("ring/ring_*")))
    session.close()
    elapsed_s = time.perf_counter() - start_s
    overshoot = max(0, most - _BUDGET_BYTES) / _SEGMENT_BYTES
    return overshoot, count * len(frame.data) / 1e6 / elapsed_s


def _repair_s(output: Path) -> float:
    """1,000 segments of which one was left open, metadata lost."""
    from semantic_detection_pkg.recorder.core.events import EventRules
    from semantic_detection_pkg.recorder.core.ring import RingRules
    from semantic_detection_pkg.recorder.ros.topics import sources
    from semantic_detection_pkg.recorder.storage.disk import Disk
    from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
    from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, counted, message

    output.mkdir()
    rules = RingRules(1 << 50, 0, 1 << 30, 3600.0)
    settings = SessionSettings(rules, EventRules(1, 0.0, 0.0))
    session = RecordingSession(output, settings, Disk())
    session.open()
    types = sources(with_frames=False)
    for number in range(60):  # 60 chunks with all topics, as a segment of 64 MB has
        at_ns = START_NS + number * NS_PER_S
        some = [message(f"/{s.name}", s.type_name, at_ns) for s in types]
        session.write(deque([*some, counted(number, at_ns, 1000)]), float(number))
        session.tick(float(number))
    session.close()
    (segment,) = (output / "ring").glob("*.mcap")
    data = segment.read_bytes()
    for number in range(2, 1001):
        segment.with_name(f"ring_{number:07d}.mcap").write_bytes(data)
    (output / "ring/metadata.yaml").unlink()
    last = output / "ring/ring_0001000.mcap"
    last.rename(last.with_name(last.name + ".part"))
    start_s = time.perf_counter()
    RecordingSession(output, settings, Disk()).open()
    return time.perf_counter() - start_s
