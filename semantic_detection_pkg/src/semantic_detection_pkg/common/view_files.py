"""What the files of rviz2 and Foxglove name, put into a robot's namespace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Topics that all robots share, wherever their nodes are.
SHARED_TOPICS = frozenset({"/diagnostics", "/rosout", "/tf", "/tf_static", "/clock"})
#: Keys of a Foxglove panel whose value is a topic, or a topic and a field of its messages.
_FOXGLOVE_TOPICS = frozenset(
    {"imageTopic", "calibrationTopic", "topicPath", "topicToRender", "value"}
)
_FOXGLOVE_FRAMES = frozenset({"followTf"})
_RVIZ_FRAMES = frozenset({"Fixed Frame", "Reference Frame", "Target Frame"})
_RVIZ_NO_FRAME = "<Fixed Frame>"


def foxglove_of(layout: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return the layout with its topics and frames in a namespace.

    Args:
        layout: of Foxglove; topics are absolute, as bags and the bridge name them.
        namespace: without slashes around it; "": none.
    """
    panels = {name: _panel(one, namespace) for name, one in layout["configById"].items()}
    return {**layout, "configById": panels}


def _panel(value: Any, namespace: str, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {
            (_topic(name, namespace) if key == "topics" else name): _panel(one, namespace, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_panel(one, namespace, key) for one in value]
    if isinstance(value, str) and key in _FOXGLOVE_TOPICS:
        return _topic(value, namespace)
    if isinstance(value, str) and key in _FOXGLOVE_FRAMES:
        return _frame(value, namespace)
    return value


def rviz_of(config: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return rviz2's file with its frames in a namespace.

    Topics stay relative: rviz2 runs in the namespace. The robot's model takes the prefix that
    `robot_state_publisher` puts before its frames.
    """

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            made = {name: changed(one, name) for name, one in value.items()}
            if namespace and made.get("Class") == "rviz_default_plugins/RobotModel":
                made["TF Prefix"] = namespace
            return made
        if isinstance(value, list):
            return [changed(one, key) for one in value]
        if isinstance(value, str) and key in _RVIZ_FRAMES and value != _RVIZ_NO_FRAME:
            return _frame(value, namespace)
        return value

    made: dict[str, Any] = changed(config)
    return made


def _topic(path: str, namespace: str) -> str:
    """Return a topic, with the path of a field where it has one, in a namespace."""
    name = path.split(".")[0]
    if not namespace or not name.startswith("/") or name in SHARED_TOPICS:
        return path
    return f"/{namespace}{path}"


def _frame(name: str, namespace: str) -> str:
    return f"{namespace}/{name}" if namespace else name
