"""Whose words are they: of this robot, or of another one that shares its topics.

`/diagnostics` and `/rosout` are shared by all robots of a network. A status is named by its node,
"r1/camera", or as diagnostic_updater does it, "camera: frames"; a logger by "r1.camera".
"""

from __future__ import annotations

from collections.abc import Collection


def is_own_status(name: str, namespace: str) -> bool:
    """Return whether a status of /diagnostics is of a robot.

    Args:
        name: of the status.
        namespace: of the robot, without slashes around it; empty: it has none.
    """
    node = name.partition(":")[0].strip().strip("/")
    if namespace:
        return node.startswith(f"{namespace}/")
    return "/" not in node


def is_own_logger(name: str, namespace: str, namespaces: Collection[str]) -> bool:
    """Return whether a logger of /rosout is of a robot.

    Args:
        name: of the logger; a node has loggers below its own, so a point alone tells nothing.
        namespace: of the robot, without slashes around it; empty: it has none.
        namespaces: of all nodes that are there.
    """
    if namespace:
        return name.startswith(namespace.replace("/", ".") + ".")
    others = (one.replace("/", ".") for one in namespaces if one)
    return not any(name.startswith(f"{other}.") for other in others)
