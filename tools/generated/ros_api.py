"""docs/ros_api.md: what each node offers and needs, read off the running graph."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from launch_runner import LaunchSession
from lifecycle_msgs.msg import State, Transition
from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_graph import GraphProbe, isolated_domain

from generated.nodes import NodeEntry
from ros_support_pkg.core.settings import settings_of
from ros_support_pkg.qos import EVENT

_HEAD = """\
# ROS API

Made by `make docs` from the running graph; a test compares. Names are relative: a namespace per
robot goes in front. Each node also has the parameter services of ROS, publishes `/diagnostics` once
a second, and takes `use_sim_time`; lifecycle nodes have the standard lifecycle services. Every
parameter's default lies in `config/<node>.param.yaml`.

QoS: *sensor* is best effort and keeps the newest only; *reliable* delivers or, where only the
newest counts, replaces; *state* is reliable and kept for who comes late. The profiles are in
`ros_support_pkg.qos`.
"""

# Every node has these; they would say the same on each.
_COMMON_TOPICS = {"/rosout", "/parameter_events", "/diagnostics", "/clock"}
_COMMON_SERVICES = (
    "describe_parameters", "get_parameter_types", "get_parameters", "list_parameters",
    "set_parameters", "set_parameters_atomically", "get_type_description", "change_state",
    "get_state", "get_available_states", "get_available_transitions", "get_transition_graph",
)  # fmt: skip

#: What is said of interfaces that are not ours, whose files do not open with their purpose in a
#: line.
_PURPOSES = {
    "/camera/image_raw": "The newest frame, bgr8. Only while somebody subscribes.",
    "/camera/image_raw/compressed": "The same as JPEG. Only while somebody subscribes.",
    "/camera/camera_info": "Intrinsics from the calibration file; K is zero without one.",
    "/detector/gpu/change_state": "Transitions for the arbiter; refused of what an operator holds.",
    "/detector/gpu/get_state": "The state for the arbiter; the label says what an operator holds.",
    "/gimbal/center": "Point the gimbal to its middle.",
    "/gimbal/photo": "Take a photo with the gimbal's own camera.",
    "/gimbal/record": "Start or stop a recording of the gimbal's own camera.",
    "/joint_states": "The joints of config/gimbal.urdf, for robot_state_publisher.",
    "/scan/markers": "Tracks, findings, coverage, area and field of view, for rviz2.",
    "/scan/pause": "Pause the scan (true) or go on (false).",
    "/operator": "Who holds control at the page; empty: nobody.",
    "/fix": "Where the robot is; with it findings get a latitude and a longitude.",
    "/imu": "How the robot lies; with a fix only.",
    "/detections/overlay": "The frame with boxes, masks, labels. Only while somebody subscribes.",
}


@dataclass(frozen=True, order=True)
class Endpoint:
    """One way into or out of a node."""

    kind: str
    name: str
    type_name: str
    quality: str = ""


def ros_api(nodes: Sequence[NodeEntry]) -> str:
    """The whole page. Starts every node, without hardware, in a domain of its own."""
    with running(nodes) as probe:
        found = {node.name: endpoints(probe, node) for node in nodes}
    return "\n".join([_HEAD, *(_section(node, found[node.name]) for node in nodes)])


@contextlib.contextmanager
def running(nodes: Sequence[NodeEntry]) -> Iterator[GraphProbe]:
    """Start the nodes, bring lifecycle nodes to active, and give a probe in their domain."""
    with (
        isolated_domain() as environment,
        tempfile.TemporaryDirectory() as folder,
        LaunchSession(_launch_file(nodes, Path(folder)), env=environment),
    ):
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        try:
            told = probe.listen(DiagnosticArray, "/diagnostics", EVENT)
            for node in nodes:
                if node.is_lifecycle:
                    probe.change_state(
                        node.name, Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE
                    )
                    probe.change_state(
                        node.name, Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE
                    )
            # A node that tells how it is has been made whole; the demo's judge tells nothing.
            names = {node.name for node in nodes if node.package != "simulation_pkg"}
            probe.wait_for(lambda: names <= _names(told), f"diagnostics of {names}")
            yield probe
        finally:
            probe.close()


def _names(told: Sequence[DiagnosticArray]) -> set[str]:
    return {status.name for message in list(told) for status in message.status}


def endpoints(probe: GraphProbe, node: NodeEntry) -> list[Endpoint]:
    """All endpoints of a node, once discovery has brought nothing new for a second."""
    seen: list[Endpoint] = []
    since_s = time.monotonic()

    def is_settled() -> bool:
        nonlocal seen, since_s
        now = sorted(_endpoints_now(probe, node.name))
        if now != seen:
            seen, since_s = now, time.monotonic()
        return bool(seen) and time.monotonic() - since_s > 1.0

    probe.wait_for(is_settled, f"the endpoints of {node.name}")
    return seen


def _endpoints_now(probe: GraphProbe, name: str) -> Iterator[Endpoint]:
    graph = probe.node
    if name not in graph.get_node_names():
        return
    for kind, topics, infos in (
        (
            "publishes",
            graph.get_publisher_names_and_types_by_node(name, "/"),
            graph.get_publishers_info_by_topic,
        ),
        (
            "subscribes",
            graph.get_subscriber_names_and_types_by_node(name, "/"),
            graph.get_subscriptions_info_by_topic,
        ),
    ):
        for topic, types in topics:
            if topic in _COMMON_TOPICS or "/_action/" in topic or "/transition_event" in topic:
                continue
            mine = [info for info in infos(topic) if info.node_name == name]
            if mine:
                yield Endpoint(kind, topic, types[0], _quality(mine[0].qos_profile))
    for service, types in graph.get_service_names_and_types_by_node(name, "/"):
        is_common = service.removeprefix(f"/{name}/") in _COMMON_SERVICES
        if not is_common and "/_action/" not in service:
            yield Endpoint("service", service, types[0])
    for action, types in get_action_server_names_and_types_by_node(graph, name, "/"):
        yield Endpoint("action", action, types[0])
    for action, types in get_action_client_names_and_types_by_node(graph, name, "/"):
        yield Endpoint("uses action", action, types[0])


def _launch_file(nodes: Sequence[NodeEntry], folder: Path) -> Path:
    entities = [
        {
            "node": {
                "pkg": node.package,
                "exec": node.executable,
                "param": [{"name": k, "value": v} for k, v in node.arguments.items()],
            }
            if node.arguments
            else {"pkg": node.package, "exec": node.executable}
        }
        for node in nodes
    ]
    path = folder / "all.launch.yaml"
    path.write_text(yaml.safe_dump({"launch": entities}))
    return path


def _section(node: NodeEntry, found: Sequence[Endpoint]) -> str:
    title = f"## {node.name}\n\n{node.purpose} Package `{node.package}`" + (
        ", lifecycle node.\n" if node.is_lifecycle else ".\n"
    )
    rows = [
        f"| {e.kind} | `{e.name.lstrip('/')}` | {e.type_name} | {e.quality} | {_purpose(e)} |"
        for e in found
    ]
    table = ["| | name | type | QoS | what |", "|---|---|---|---|---|", *rows, ""] if rows else []
    parameters = ["| parameter | default | allowed | what |", "|---|---|---|---|"]
    for name, one in settings_of(node.settings_class).items():
        mark = " (run time)" if one.rules.is_runtime else ""
        shown = list(one.default) if isinstance(one.default, tuple) else one.default
        parameters.append(f"| `{name}`{mark} | `{shown!r}` | {one.allowed} | {one.document} |")
    return "\n".join([title, *table, *parameters, ""])


def _purpose(endpoint: Endpoint) -> str:
    if endpoint.name in _PURPOSES:
        return _PURPOSES[endpoint.name]
    package, kind, name = endpoint.type_name.split("/")
    path = Path(get_package_share_directory(package)) / kind / f"{name}.{kind}"
    opening = "".join(
        line.removeprefix("#") for line in takewhile(str.strip, path.read_text().splitlines())
    )
    sentence = re.match(r" (.+?)[.:]( |$)", opening)
    if sentence is None:
        raise ValueError(
            f"{endpoint.name} is a {endpoint.type_name}: say in _PURPOSES what it is for"
        )
    return f"{sentence[1]}."


def _quality(profile: object) -> str:
    is_reliable = profile.reliability == ReliabilityPolicy.RELIABLE  # type: ignore[attr-defined]
    is_lasting = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL  # type: ignore[attr-defined]
    return "state" if is_lasting else "reliable" if is_reliable else "sensor"
