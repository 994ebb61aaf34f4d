"""One node each: convert in, call core once, convert out, publish."""

from ros_support_pkg.starting import leave_on_interrupt

leave_on_interrupt("semantic_detection_pkg")
