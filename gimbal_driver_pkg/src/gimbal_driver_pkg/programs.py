"""What launch files start; see `ros_support_pkg.starting`."""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def vehicle() -> int:
    """Run the node `vehicle`; return the exit status."""
    leave_on_interrupt("gimbal_driver_pkg")
    status: int = import_module("gimbal_driver_pkg.vehicle_node").main()
    return status


def gimbal_driver() -> int:
    """Run the node `gimbal_driver`; return the exit status."""
    leave_on_interrupt("gimbal_driver_pkg")
    status: int = import_module("gimbal_driver_pkg.node").main()
    return status


def mock_gimbal() -> int:
    """Run the stand-in of a gimbal; return the exit status."""
    leave_on_interrupt("gimbal_driver_pkg")
    status: int = import_module("gimbal_driver_pkg.cli.mock_gimbal").main()
    return status
