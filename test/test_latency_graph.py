"""The latency ledger in real processes: a frame's stamps in order, every stage told everywhere."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from free_port import free_port
from launch_runner import LaunchSession
from patience import patience
from prometheus_client.parser import text_string_to_metric_families
from ros_graph import GraphProbe
from scan_graph import write_scan_launch

from interfaces_pkg.msg import Detections, FrameTimes, GimbalAngle, GimbalRate
from ros_support_pkg.core.latency import NAMES, PERCENTS, read_figures
from ros_support_pkg.qos import COMMAND, EVENT, SENSOR_DATA
from ros_support_pkg.steady_clock import steady_ns

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
START_TIMEOUT_S = 90.0
#: Who measures which stages.
OWNERS = {
    "detector": {"received", "inferred", "inference"},
    "scan_controller": {"tracked", "decided"},
    "gimbal_driver": {"commanded", "moved", "capture_to_command", "overhead"},
}


@pytest.fixture
def page(tmp_path: Path, probe: GraphProbe) -> Iterator[int]:
    """A scan of the simulated world that begins by itself, and the port of its page."""
    path, port = tmp_path / "scan.launch.yaml", free_port()
    write_scan_launch(path, {"frame_rate_hz": 5.0, "autostart": True, "repeat": True})
    launch = yaml.safe_load(path.read_text())
    parameters = [
        {"name": "port", "value": port},
        {"name": "output_dir", "value": str(tmp_path), "type": "str"},
    ]
    node = {"pkg": "semantic_detection_pkg", "exec": "dashboard", "param": parameters}
    launch["launch"].append({"node": node})
    path.write_text(yaml.safe_dump(launch, sort_keys=False))
    with LaunchSession(path) as session:
        session.wait_for_start("dashboard")
        yield port


@pytest.mark.long
def test_each_frames_stages_are_stamped_in_order_and_told(page: int, probe: GraphProbe) -> None:
    begun_ns = steady_ns()
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    rates = probe.listen(GimbalRate, "gimbal/cmd_rate", COMMAND)
    angles = probe.listen(GimbalAngle, "gimbal/cmd_angle", COMMAND)
    diagnostics = probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    probe.wait_for(lambda: len(detections) > 5, "detections", START_TIMEOUT_S)
    commands = probe.wait_for(
        lambda: of_frames([*rates, *angles]), "a command that a frame led to", START_TIMEOUT_S
    )
    for message in list(detections):
        times = message.times
        assert (times.tracked_ns, times.decided_ns) == (0, 0)
        check_order([times.captured_ns, times.received_ns, times.inferred_ns], begun_ns)
        assert times.inference_ns == pytest.approx(message.inference_ms * 1e6, abs=1e3)
    for times in commands:
        stages = "captured", "received", "inferred", "tracked", "decided"
        check_order([getattr(times, f"{stage}_ns") for stage in stages], begun_ns)
    captured = [times.captured_ns for times in commands]
    assert len(set(captured)) == len(captured), "only the first command after it is a frame's"

    told = probe.wait_for(lambda: told_by(list(diagnostics)), "all stages", START_TIMEOUT_S)
    for owner, stages in OWNERS.items():
        assert set(told[owner]) == stages
    figures = {name: one for stages in told.values() for name, one in stages.items()}
    for name, one in figures.items():
        assert 0.0 <= one["p50_s"] <= one["p95_s"] <= one["p99_s"] < 60.0, name
        assert one["count"] >= 1
    assert figures["overhead"]["sum_s"] < figures["capture_to_command"]["sum_s"]
    assert figures["inference"]["p50_s"] <= figures["inferred"]["p99_s"]
    found = probe.wait_for(lambda: summary_of(page), "all stages in the metrics")
    assert {quantile for _, quantile in found} == {f"{percent / 100:g}" for percent in PERCENTS}


def of_frames(commands: list) -> list[FrameTimes]:
    """The stamps of the commands that have some, once there are three."""
    found = [command.times for command in commands if command.times.clock]
    return found if len(found) >= 3 else []


def check_order(stamps_ns: list[int], begun_ns: int) -> None:
    assert stamps_ns == sorted(stamps_ns)
    assert begun_ns - 60_000_000_000 < stamps_ns[0], "of this machine's clock"
    assert stamps_ns[-1] <= steady_ns()


def told_by(diagnostics: list[DiagnosticArray]) -> dict[str, dict[str, dict[str, float]]]:
    """The newest figures of each owner, once all of them have some in the last minute."""
    newest = {
        status.name: read_figures({item.key: item.value for item in status.values})
        for message in diagnostics
        for status in message.status
        if status.name in OWNERS
    }
    told = {name for stages in newest.values() for name, one in stages.items() if "p95_s" in one}
    return newest if told == set(NAMES) else {}


def summary_of(port: int) -> set[tuple[str, str]]:
    """Stage and quantile of each sample of the metrics, once all stages are there."""
    address = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(address, timeout=patience(10.0)) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found = {
        (sample.labels["stage"], sample.labels["quantile"])
        for family in families
        for sample in family.samples
        if sample.name == "semantic_detection_frame_stage_seconds"
    }
    return found if {stage for stage, _ in found} == set(NAMES) else set()
