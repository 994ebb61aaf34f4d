"""Messages of every recorded type, serialised without ROS, for tests of recordings."""

from __future__ import annotations

import os
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semantic_detection_pkg.recorder.core.definitions import full_definition
from semantic_detection_pkg.recorder.core.topics import Message, OfferedQos, Topic

ROOT = Path(__file__).resolve().parents[4]
SENSOR = OfferedQos(reliability="best_effort", durability="volatile")
STATE = OfferedQos(reliability="reliable", durability="transient_local")
NS_PER_S = 1_000_000_000
START_NS = 1_700_000_000 * NS_PER_S

_PREFIXES = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(":")), sys.prefix]


def text_of(type_name: str) -> str:
    """Return a type's .msg file: ours from the sources, others from where ROS is installed."""
    package, _, name = type_name.split("/")
    ours = ROOT / package / "msg" / f"{name}.msg"
    installed = (Path(p) / "share" / package / "msg" / f"{name}.msg" for p in _PREFIXES)
    return next(path for path in (ours, *installed) if path.exists()).read_text()


@cache
def definition(type_name: str) -> str:
    return full_definition(type_name, text_of)


@lru_cache(maxsize=1)
def typestore() -> Any:
    """Return all types of interfaces_pkg beside those of the distribution."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted((ROOT / "interfaces_pkg/msg").glob("*.msg")):
        store.register(get_types_from_msg(path.read_text(), f"interfaces_pkg/msg/{path.stem}"))
    return store


@cache
def topic(name: str, type_name: str, qos: OfferedQos = SENSOR) -> Topic:
    return Topic(name, type_name, typestore().hash_rihs01(type_name), (qos,))


def blank(type_name: str, **given: Any) -> Any:
    """Return a message of a type with a value in each of its fields, that given or another one."""
    from rosbags.interfaces import Nodetype

    store = typestore()
    values: dict[str, Any] = dict(given)
    for field, (kind, detail) in store.get_msgdef(type_name).fields:
        if field in given:
            continue
        if kind == Nodetype.BASE:
            values[field] = _primitive(detail[0], field)
        elif kind == Nodetype.NAME:
            values[field] = blank(detail)
        else:
            (inner, inner_detail), length = detail
            count = length if kind == Nodetype.ARRAY else 2
            if inner == Nodetype.NAME:
                values[field] = [blank(inner_detail) for _ in range(count)]
            elif inner_detail[0] == "string":
                values[field] = [field] * count
            else:
                values[field] = np.arange(count).astype(inner_detail[0])
    return store.types[type_name](**values)


def _primitive(name: str, field: str) -> Any:
    if name == "string":
        return f"{field} ä"
    if name == "bool":
        return True
    return 1.5 if name.startswith("float") else 7


def message(
    name: str, type_name: str, received_ns: int, qos: OfferedQos = SENSOR, content: Any = None
) -> Message:
    """Return one message of a topic, with a value in each field unless it is given."""
    content = blank(type_name) if content is None else content
    data = bytes(typestore().serialize_cdr(content, type_name))
    return Message(
        topic(name, type_name, qos), definition(type_name), received_ns, received_ns - 5, data
    )


def counted(number: int, received_ns: int | None = None, padding: int = 0) -> Message:
    """Return a small message that tells its number, with some bytes that do not compress."""
    noise = np.random.default_rng(number).integers(0, 256, padding, np.uint8)
    image = typestore().types["sensor_msgs/msg/CompressedImage"](
        header=header_of(number * NS_PER_S), format="jpeg", data=noise
    )
    at_ns = START_NS + number * NS_PER_S // 100 if received_ns is None else received_ns
    return message("/counted", "sensor_msgs/msg/CompressedImage", at_ns, SENSOR, image)


def time_of(stamp_ns: int) -> Any:
    """Return a stamp as messages hold it."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return typestore().types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)


def header_of(stamp_ns: int) -> Any:
    """Return the header of a message of the camera's frame."""
    return typestore().types["std_msgs/msg/Header"](stamp=time_of(stamp_ns), frame_id="camera")
