"""What launch files start; see `ros_support_pkg.starting`."""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def vlm_bridge() -> int:
    """Run the node `vlm_bridge`; return the exit status."""
    leave_on_interrupt("vlm_bridge_pkg")
    status: int = import_module("vlm_bridge_pkg.node").main()
    return status


def vlm_stub() -> int:
    """Run the stand-in of the VLM service; return the exit status."""
    leave_on_interrupt("vlm_bridge_pkg")
    status: int = import_module("vlm_bridge_pkg.cli.vlm_stub").main()
    return status
