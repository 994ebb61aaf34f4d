"""The nodes as programs.

Importing a node takes half a second, and a launch that ends early interrupts it in the middle: so
Ctrl-C is handled from here on, before the node's module is imported.
"""

from importlib import import_module

from ros_support_pkg.starting import leave_on_interrupt


def _run(room: str) -> int:
    leave_on_interrupt("semantic_detection_pkg")
    status: int = import_module(f"semantic_detection_pkg.{room}.node").main()
    return status


def camera() -> int:
    """Run the node `camera`; return the exit status."""
    return _run("camera")


def dashboard() -> int:
    """Run the node `dashboard`; return the exit status."""
    return _run("dashboard")


def detector() -> int:
    """Run the node `detector`; return the exit status."""
    return _run("detector")


def gpu_arbiter() -> int:
    """Run the node `gpu_arbiter`; return the exit status."""
    return _run("gpu")


def health_monitor() -> int:
    """Run the node `health_monitor`; return the exit status."""
    return _run("health")


def recorder() -> int:
    """Run the node `recorder`; return the exit status."""
    return _run("recorder")


def scan_controller() -> int:
    """Run the node `scan_controller`; return the exit status."""
    return _run("scan")


def tak() -> int:
    """Run the node `tak`; return the exit status."""
    return _run("tak")
