"""What a recorded topic is: its name, its type with definition, and the QoS that was offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

#: Values of rmw_qos_history_policy_e and so on (rmw/types.h), by the names that rosbag2 writes from
#: metadata version 9 on; before, it wrote the numbers.
_HISTORIES = ("system_default", "keep_last", "keep_all", "unknown")
_RELIABILITIES = ("system_default", "reliable", "best_effort", "unknown", "best_available")
_DURABILITIES = ("system_default", "transient_local", "volatile", "unknown", "best_available")
_LIVELINESS = ("system_default", "automatic", "manual_by_node", "manual_by_topic", "unknown")
_INFINITE_NS = 2**63 - 1
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class OfferedQos:
    """What one publisher offers.

    Attributes:
        history, reliability, durability, liveliness: names as in rosbag2.
        depth: of the history; 0: unknown, as discovery does not tell it.
        deadline_ns, lifespan_ns, lease_ns: [ns]; 2^63 - 1: infinite.
    """

    reliability: str
    durability: str
    history: str = "unknown"
    depth: int = 0
    deadline_ns: int = _INFINITE_NS
    lifespan_ns: int = _INFINITE_NS
    liveliness: str = "automatic"
    lease_ns: int = _INFINITE_NS

    @classmethod
    def from_rosbag2(cls, fields: Mapping[str, Any]) -> OfferedQos:
        """Read one entry of `offered_qos_profiles`, by names or by numbers.

        Raises:
            ValueError: a field is missing or has no meaning.
        """
        try:
            return cls(
                reliability=_name(_RELIABILITIES, fields["reliability"]),
                durability=_name(_DURABILITIES, fields["durability"]),
                history=_name(_HISTORIES, fields["history"]),
                depth=int(fields["depth"]),
                deadline_ns=_nanoseconds(fields["deadline"]),
                lifespan_ns=_nanoseconds(fields["lifespan"]),
                liveliness=_name(_LIVELINESS, fields["liveliness"]),
                lease_ns=_nanoseconds(fields["liveliness_lease_duration"]),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"QoS {dict(fields)!r}: {error!r}") from error

    def to_rosbag2(self, *, by_name: bool) -> dict[str, Any]:
        """Return an entry of `offered_qos_profiles`, policies by name (version 9) or by number."""

        def value(names: tuple[str, ...], name: str) -> str | int:
            return name if by_name else names.index(name)

        return {
            "history": value(_HISTORIES, self.history),
            "depth": self.depth,
            "reliability": value(_RELIABILITIES, self.reliability),
            "durability": value(_DURABILITIES, self.durability),
            "deadline": _seconds(self.deadline_ns),
            "lifespan": _seconds(self.lifespan_ns),
            "liveliness": value(_LIVELINESS, self.liveliness),
            "liveliness_lease_duration": _seconds(self.lease_ns),
            "avoid_ros_namespace_conventions": False,
        }


def _name(names: tuple[str, ...], value: str | int) -> str:
    return names[names.index(value)] if isinstance(value, str) else names[value]


def _seconds(time_ns: int) -> dict[str, int]:
    seconds, nanoseconds = divmod(time_ns, _NS_PER_S)
    return {"sec": seconds, "nsec": nanoseconds}


def _nanoseconds(time: Mapping[str, int]) -> int:
    return int(time["sec"]) * _NS_PER_S + int(time["nsec"])


@dataclass(frozen=True)
class Topic:
    """A topic in a bag.

    Attributes:
        name: with its namespace.
        type_name: "sensor_msgs/msg/Image".
        type_hash: "RIHS01_..."; empty where ROS does not know it (Humble).
        qos: of its publishers.
    """

    name: str
    type_name: str
    type_hash: str = ""
    qos: tuple[OfferedQos, ...] = ()


class Message(NamedTuple):
    """One serialised message on its way to the disk.

    Attributes:
        topic: where it came from.
        definition: of its type, with those it needs, as MCAP's encoding "ros2msg" has it.
        received_ns, published_ns: [ns] since the epoch.
        data: CDR.
    """

    topic: Topic
    definition: str
    received_ns: int
    published_ns: int
    data: bytes
