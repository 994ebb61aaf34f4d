"""One node: convert in, call the driver, convert out."""

from ros_support_pkg.starting import leave_on_interrupt

leave_on_interrupt("gimbal_driver_pkg")
