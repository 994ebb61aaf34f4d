"""Names of coordinate frames of one robot among several: all of them meet in one `/tf`."""

from rclpy.node import Node


def in_namespace(node: Node, frame_id: str) -> str:
    """Return the frame's name with the node's namespace before it, as `frame_prefix` has it.

    Without a namespace, and where the name has it already, it stays as it is.
    """
    namespace = node.get_namespace().strip("/")
    if not namespace or frame_id.startswith(f"{namespace}/"):
        return frame_id
    return f"{namespace}/{frame_id}"
