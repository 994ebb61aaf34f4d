"""Times in messages are pairs of numbers; inside they are one: nanoseconds since the epoch."""

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000


def to_time(stamp_ns: int) -> Time:
    """Nanoseconds since the epoch as a message."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def from_time(time: Time) -> int:
    """A message as nanoseconds since the epoch."""
    return int(time.sec) * NS_PER_S + int(time.nanosec)
