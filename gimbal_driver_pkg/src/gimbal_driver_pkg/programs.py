"""The node as a program; see `ros_support_pkg.starting`."""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def gimbal_driver() -> int:
    """Run the node `gimbal_driver`; return the exit status."""
    leave_on_interrupt("gimbal_driver_pkg")
    status: int = import_module("gimbal_driver_pkg.node").main()
    return status
