"""The node as a program; see `ros_support_pkg.starting`."""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def vlm_bridge() -> int:
    """Run the node `vlm_bridge`; return the exit status."""
    leave_on_interrupt("vlm_bridge_pkg")
    status: int = import_module("vlm_bridge_pkg.node").main()
    return status
