"""Stamps to messages; the way back, `core.stamps`, needs no ROS."""

from builtin_interfaces.msg import Time

from ros_support_pkg.core.stamps import NS_PER_S, from_time

__all__ = ["NS_PER_S", "from_time", "to_time"]


def to_time(stamp_ns: int) -> Time:
    """Return nanoseconds since the epoch as a message."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)
