"""The page remembers: real nodes, killed, and what is on the disk."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from ament_index_python.packages import get_package_prefix
from free_port import free_port
from patience import patience
from ros_graph import GraphProbe
from sensor_msgs.msg import CompressedImage

from interfaces_pkg.msg import Finding, RecorderStatus
from ros_support_pkg.qos import RECORD, STATE, VIEW
from ros_support_pkg.stamps import to_time

pytestmark = pytest.mark.graph
PACKAGE = "semantic_detection_pkg"
STATES = ("candidate", "confirmed", "rejected", "uncertain")
BOX = [200.0, 100.0, 260.0, 160.0]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a node with parameters; all that still run are killed in the end."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(node: str, **parameters: object) -> subprocess.Popen[bytes]:
        program = str(Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / node)
        given = (word for name, value in parameters.items() for word in ("-p", f"{name}:={value}"))
        processes.append(subprocess.Popen([program, "--ros-args", *given]))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(patience(10.0))


def read(port: int, path: str) -> bytes:
    """What the page gives; empty: nothing yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=patience(5.0)) as reply:
            data: bytes = reply.read()
            return data
    except URLError:  # not there yet, or not found
        return b""


def pictured(port: int) -> dict[str, dict[str, Any]]:
    """Findings that the page shows with a picture, by id."""
    findings = json.loads(read(port, "/api/state/findings") or b"[]")
    return {one["id"]: one for one in findings if one["has_picture"]}


def picture(stamp_ns: int) -> CompressedImage:
    """A frame that is black but for the thing."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[100:160, 200:260] = 255
    message = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", image)[1].tobytes())
    message.header.stamp = to_time(stamp_ns)
    return message


def finding(number: int, stamp_ns: int) -> Finding:
    message = Finding(id=f"{stamp_ns}-{number}", revision=1, state=number, class_name="tent")
    message.header.stamp = message.best_frame = to_time(stamp_ns)
    message.best_box_xyxy = BOX
    return message


def record(probe: GraphProbe, folder: Path) -> list[str]:
    """Send frames and findings of all states until they lie in the recording; their ids."""
    node = probe.node
    status = probe.listen(RecorderStatus, "recorder/status", STATE)
    pictures = node.create_publisher(CompressedImage, "camera/image_raw/compressed", VIEW)
    findings = node.create_publisher(Finding, "findings", RECORD)
    probe.wait_for(
        lambda: status and pictures.get_subscription_count() and findings.get_subscription_count(),
        "the recorder",
    )
    ids = []
    for number in range(len(STATES)):
        stamp_ns = node.get_clock().now().nanoseconds
        pictures.publish(picture(stamp_ns))
        one = finding(number, stamp_ns)
        findings.publish(one)
        ids.append(one.id)
        written = status[-1].messages
        probe.wait_for(
            lambda written=written: status[-1].messages >= written + 2,  # type: ignore[misc]
            "a finding on the disk",
        )

    def is_kept() -> bool:
        """Pictures go on: segments end by what is received."""
        pictures.publish(picture(node.get_clock().now().nanoseconds))
        return bool(list(folder.glob("events/*/bag/*.mcap"))) and len(
            list(folder.glob("ring/*.mcap"))
        ) > len(STATES)

    probe.wait_for(is_kept, "the event and finished segments")
    node.destroy_publisher(findings)  # nobody sends them again
    return ids


@pytest.mark.long
def test_findings_come_back_after_any_death(
    probe: GraphProbe, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    recorder = start("recorder", output_dir=folder, segment_duration_s=0.5, after_s=0.5)
    ids = record(probe, folder)
    port = free_port()
    # The dashboard comes late: it has heard nothing of them.
    page = start("dashboard", output_dir=folder, port=port)
    probe.wait_for(lambda: len(pictured(port)) == len(ids), "findings of before, with pictures")
    found = pictured(port)
    assert sorted(found) == sorted(ids)
    assert sorted(one["state"] for one in found.values()) == sorted(STATES)
    kill(page)
    kill(recorder)
    again = start("dashboard", output_dir=folder, port=port)
    probe.wait_for(lambda: len(pictured(port)) == len(ids), "the same after both were killed")
    for finding_id in ids:
        jpeg = read(port, f"/api/findings/{finding_id}/thumbnail")
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image[image.shape[0] // 2, image.shape[1] // 2] > 200, finding_id
        assert image[4, 4] < 50, finding_id
    again.send_signal(signal.SIGINT)
    assert again.wait(patience(20.0)) == 0
