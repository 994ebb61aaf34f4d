"""Which file is made by which function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from generated.config import parameter_file
from generated.config_schema import config_schema
from generated.interfaces import snapshot
from generated.licences import licences
from generated.nodes import NODES
from generated.page_words import page_words
from generated.ros_api import ros_api
from generated.scan_tree import scan_tree
from generated.state_machines import candidate_states_page, gimbal_link, gpu_turns

ROOT = Path(__file__).resolve().parent.parent.parent

_CONFIGURATION = "semantic_detection_pkg/src/semantic_detection_pkg/common/configuration"

FILES: dict[str, Callable[[], str]] = {
    **{f"config/{node.name}.param.yaml": partial(parameter_file, node) for node in NODES},
    f"{_CONFIGURATION}/config.schema.json": partial(config_schema, NODES),
    "docs/candidate.md": candidate_states_page,
    "semantic_detection_pkg/src/semantic_detection_pkg/dashboard/static/js/words.js": page_words,
    "docs/gimbal_link.md": gimbal_link,
    "docs/gpu_arbiter.md": gpu_turns,
    "docs/licences.md": partial(licences, ROOT / "requirements"),
    "docs/ros_api.md": partial(ros_api, NODES),
    "docs/scan_tree.md": scan_tree,
    "test/snapshots/interfaces.txt": partial(snapshot, ROOT / "interfaces_pkg"),
}
