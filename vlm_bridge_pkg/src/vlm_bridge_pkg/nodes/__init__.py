"""One node: convert in, run a session, convert out."""

from ros_support_pkg.starting import leave_on_interrupt

leave_on_interrupt("vlm_bridge_pkg")
