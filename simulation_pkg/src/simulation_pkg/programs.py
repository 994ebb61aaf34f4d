"""The node as a program; see `ros_support_pkg.starting`."""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def demo_judge() -> int:
    """Run the node `demo_judge`; return the exit status."""
    leave_on_interrupt("simulation_pkg", status=1)  # interrupted before anything was seen
    status: int = import_module("simulation_pkg.demo_judge").main()
    return status
