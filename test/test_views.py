"""rviz file, Foxglove layout and workflow name only topics, frames and targets that exist."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parent.parent
#: Of tools that are not ours.
FOREIGN_TOPICS = {"robot_description", "/diagnostics", "/rosout"}


def topics() -> set[str]:
    """Every topic in the generated table of the running graph."""
    text = (ROOT / "docs" / "ros_api.md").read_text()
    return set(re.findall(r"^\| publishes \| `([\w/]+)`", text, re.M)) | FOREIGN_TOPICS


def values(document: Any, key: str) -> list[Any]:
    """All values under a key, however deep."""
    if isinstance(document, list):
        return [value for item in document for value in values(item, key)]
    if not isinstance(document, dict):
        return []
    here = [document[key]] if key in document else []
    return here + [found for value in document.values() for found in values(value, key)]


def test_rviz_shows_what_is_published() -> None:
    document = yaml.safe_load((ROOT / "config" / "semantic_detection.rviz").read_text())
    shown = {topic["Value"] for topic in values(document, "Topic")}
    shown |= {topic["Value"] for topic in values(document, "Description Topic")}
    assert {"scan/markers", "detections/overlay"} <= shown
    assert shown <= topics()
    urdf = ElementTree.parse(ROOT / "config" / "gimbal.urdf").getroot()
    frames = {link.get("name") for link in urdf.findall("link")}
    named = set(values(document, "Fixed Frame")) | set(values(document, "Target Frame"))
    assert named <= frames


def test_foxglove_shows_what_is_published() -> None:
    layout = json.loads((ROOT / "config" / "foxglove.json").read_text())
    panels = layout["configById"]
    keys = ("imageTopic", "cameraTopic", "topicPath", "topicToRender")
    shown = {topic for key in keys for topic in values(panels, key)}
    shown |= {path["value"].split(".")[0] for paths in values(panels, "paths") for path in paths}
    shown |= set(panels["3D!scan"]["topics"])
    assert shown <= topics()
    placed = set(re.findall(r'"(\w+!\w+)"', json.dumps(layout["layout"])))
    assert placed == set(panels), "every panel has its place"


def test_workflow_runs_the_same_targets() -> None:
    document = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert document["jobs"]["ros"]["strategy"]["matrix"]["distro"] == ["humble", "jazzy"]
    for job in document["jobs"].values():
        commands = [step.get("run", "") for step in job["steps"]]
        assert any(re.search(r"^\s*make test$", text, re.M) for text in commands)
