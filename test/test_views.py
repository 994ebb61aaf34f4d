"""rviz file, Foxglove layout and workflow ask for what exists, of the type and QoS that it has.

docs/ros_api.md is made from the running graph and compared with it by a test of its own, so it
stands for the graph here; `test_views_graph.py` looks at the running one.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from launch_runner.plan import make_plan
from rclpy.qos import (
    DurabilityPolicy,
    LivelinessPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from view_requests import FOREIGN, foxglove_topics, rviz_topics

from semantic_detection_pkg.cli import views
from semantic_detection_pkg.common.view_files import SHARED_TOPICS, foxglove_of, rviz_of
from semantic_detection_pkg.recorder.ros.topics import message_class

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config"
#: What every node has, which the table of the graph leaves out.
COMMON = {
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
    "/rosout": "rcl_interfaces/msg/Log",
}
_QUALITIES = {
    "sensor": (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
    "reliable": (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
    "state": (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL),
}


@dataclass(frozen=True)
class Offer:
    """What a node publishes."""

    type_name: str
    qos: QoSProfile


def offers() -> dict[str, Offer]:
    """Return everything that is published, by topic, from the table of the running graph."""
    text = (ROOT / "docs" / "ros_api.md").read_text()
    rows = re.findall(r"^\| publishes \| `([\w/]+)` \| (\S+) \| (\w+) \|", text, re.M)
    made = {}
    for name, type_name, quality in rows:
        reliability, durability = _QUALITIES[quality]
        qos = QoSProfile(
            depth=1,
            reliability=reliability,
            durability=durability,
            liveliness=LivelinessPolicy.AUTOMATIC,
        )
        made[name] = Offer(type_name, qos)
    return made


@pytest.mark.parametrize("topic", rviz_topics(), ids=lambda topic: topic.name)
def test_rviz_gets_what_it_asks_for(topic: Any) -> None:
    if topic.name in FOREIGN:
        return
    offer = offers()[topic.name]
    assert offer.type_name == topic.type_name
    compatibility, reason = qos_check_compatible(offer.qos, topic.qos)
    assert compatibility == QoSCompatibility.OK, f"{topic.name}: {reason}"


def test_rviz_shows_the_scan_and_the_pictures() -> None:
    shown = {topic.name for topic in rviz_topics()}
    assert {"scan/markers", "detections/overlay", "camera/image_raw/compressed"} <= shown


@pytest.mark.parametrize(
    "name", ["camera/camera_info", "joint_states", "scan/markers", "scan/coverage"]
)
def test_tools_that_ask_for_reliable_messages_get_them(name: str) -> None:
    assert offers()[name].qos.reliability == ReliabilityPolicy.RELIABLE


def test_rviz_names_frames_of_the_urdf() -> None:
    document = yaml.safe_load((CONFIG / views.RVIZ).read_text())
    urdf = ElementTree.parse(CONFIG / views.URDF).getroot()
    frames = {link.get("name") for link in urdf.findall("link")}
    assert named_frames(document) - {"<Fixed Frame>"} <= frames


def named_frames(value: Any) -> set[str]:
    """Return every value under a key of a frame, however deep."""
    if isinstance(value, list):
        return set().union(*map(named_frames, value))
    if not isinstance(value, dict):
        return set()
    here = {one for key, one in value.items() if key.endswith(" Frame") and isinstance(one, str)}
    return here.union(*map(named_frames, value.values()))


@pytest.mark.parametrize("topic", foxglove_topics(), ids=lambda topic: topic.name + topic.field)
def test_foxglove_shows_what_is_published(topic: Any) -> None:
    types = {f"/{name}": offer.type_name for name, offer in offers().items()} | COMMON
    assert topic.name in types, "names are absolute, as bags and the bridge have them"
    assert topic.types is None or types[topic.name] in topic.types
    if topic.field:
        assert topic.field in message_class(types[topic.name]).get_fields_and_field_types()


def test_foxglove_layout_places_every_panel() -> None:
    layout = json.loads((CONFIG / views.FOXGLOVE).read_text())
    panels = layout["configById"]
    assert set(re.findall(r'"(\w+!\w+)"', json.dumps(layout["layout"]))) == set(panels)
    image = panels["Image!detections"]
    assert set(image) == {"imageMode"}, "keys of the Image panel before 2023 are not read any more"
    assert set(image["imageMode"]) == {"imageTopic", "calibrationTopic"}


@pytest.mark.parametrize("namespace", ["robot1", "/fleet/r1"])
def test_views_of_a_robot_in_a_namespace(tmp_path: Path, namespace: str) -> None:
    assert views.main(["--namespace", namespace, "--output", str(tmp_path / "new" / "views")]) == 0
    folder, prefix = tmp_path / "new" / "views", namespace.strip("/")
    layout = json.loads((folder / views.FOXGLOVE).read_text())
    plain, made = foxglove_topics(), foxglove_topics(layout)
    for before, after in zip(plain, made, strict=True):
        shared = before.name in SHARED_TOPICS
        assert after.name == (before.name if shared else f"/{prefix}{before.name}")
        assert after.field == before.field
    assert layout["configById"]["3D!scan"]["followTf"] == f"{prefix}/gimbal_base"
    rviz = yaml.safe_load((folder / views.RVIZ).read_text())
    assert named_frames(rviz) - {"<Fixed Frame>"} == {f"{prefix}/gimbal_base"}
    assert rviz_topics(rviz) == rviz_topics(), "relative: rviz2 runs in the namespace"
    displays = rviz["Visualization Manager"]["Displays"]
    (model,) = [one for one in displays if one["Class"] == "rviz_default_plugins/RobotModel"]
    assert model["TF Prefix"] == prefix
    assert (folder / views.URDF).read_bytes() == (CONFIG / views.URDF).read_bytes()


def test_views_without_a_namespace_are_the_installed_ones() -> None:
    layout = json.loads((CONFIG / views.FOXGLOVE).read_text())
    assert foxglove_of(layout, "") == layout
    rviz = yaml.safe_load((CONFIG / views.RVIZ).read_text())
    assert rviz_of(rviz, "") == rviz


@pytest.mark.parametrize("namespace", ["", "a b", "1robot", "robot-1", "a//b", "rö"])
def test_what_is_no_namespace_is_refused(
    namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert views.main(["--namespace", namespace, "--output", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --namespace {namespace!r}, allowed is")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("namespace", ["", "robot1", "/fleet/r1"])
@pytest.mark.parametrize("is_replay", [False, True])
def test_view_launch_file_prefixes_frames(
    namespace: str, is_replay: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for package in ("rviz2", "robot_state_publisher"):
        program = tmp_path / "lib" / package / package
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        entry = tmp_path / "share" / "ament_index" / "resource_index" / "packages" / package
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
    arguments = {"namespace": namespace} if namespace else {}
    if is_replay:
        arguments["use_sim_time"] = "true"
    folder = tmp_path / "plan"
    folder.mkdir()
    plan = make_plan(ROOT / "launch" / "view.launch.yaml", arguments, folder)
    publisher, rviz = ([*process.command] for process in plan.processes)
    prefix = f"{namespace.strip('/')}/" if namespace else ""
    assert rviz[rviz.index("-f") + 1] == f"{prefix}gimbal_base"
    said = " ".join(publisher) + "".join(p.read_text() for p in folder.rglob("*.yaml"))
    if prefix:
        assert re.search(rf"frame_prefix:=? ?['\"]?{prefix}['\"]?(\s|$)", said), said
    assert (
        len(re.findall(rf"use_sim_time:=? ?{str(is_replay).lower()}", said + " ".join(rviz))) >= 2
    )


def test_workflow_runs_the_same_targets() -> None:
    document = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert document["jobs"]["ros"]["strategy"]["matrix"]["distro"] == ["humble", "jazzy"]
    for job in document["jobs"].values():
        commands = [step.get("run", "") for step in job["steps"]]
        assert any(re.search(r"^\s*make test-all$", text, re.M) for text in commands)
