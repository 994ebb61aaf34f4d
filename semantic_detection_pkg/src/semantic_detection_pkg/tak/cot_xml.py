"""Events as XML, and the events in a stream of bytes from anybody.

A stream is one event after the other, some with an XML declaration before. What cannot be read is
left out; document types and entities, which no event has, are refused before they are parsed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from semantic_detection_pkg.tak.core.events import UNKNOWN_M, CotEvent, Detail
from semantic_detection_pkg.tak.core.shapes import Place, ellipse, polygon

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_EVENT_BYTES_MAX = 256_000
_END = re.compile(rb"</event\s*>|<event\b[^<>]*/>")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,12})?", re.ASCII)
#: What XML 1.0 has no place for.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class HeardEvent:
    """What somebody else tells.

    Attributes:
        callsign: what the thing is called; empty: not.
        remarks: in words.
        sent_to: callsigns of those it was sent to; empty: to all.
        hae_m: NaN: not known.
        time_ns: [ns since the epoch] of the sender's clock, when it was said.
        shape: corners (latitude, longitude) [deg] of what was drawn; empty: nothing was.
    """

    uid: str
    kind: str
    latitude_deg: float
    longitude_deg: float
    hae_m: float
    callsign: str
    remarks: str
    sent_to: tuple[str, ...]
    time_ns: int
    shape: tuple[Place, ...] = ()


def to_xml(event: CotEvent, now_ns: int) -> bytes:
    """Return an event as it is told at a time [ns since the epoch]."""
    now = datetime.fromtimestamp(now_ns // 1_000_000 / 1e3, timezone.utc)
    root = Element(
        "event",
        version="2.0",
        uid=_clean(event.uid),
        type=event.kind,
        how=event.how,
        time=_moment(now),
        start=_moment(now),
        stale=_moment(now + timedelta(seconds=event.lifetime_s)),
    )
    SubElement(
        root,
        "point",
        lat=f"{event.latitude_deg:.7f}",
        lon=f"{event.longitude_deg:.7f}",
        hae=_metres(event.hae_m),
        ce=_metres(event.ce_m),
        le=_metres(event.le_m),
    )
    details = SubElement(root, "detail")
    for one in event.details:
        _add(details, one)
    return _DECLARATION + ElementTree.tostring(root, encoding="utf-8") + b"\n"


class EventStream:
    """Takes bytes as they come, gives events."""

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._rest = b""
        self.refused = 0
        """Pieces that were no event."""

    def feed(self, data: bytes) -> Iterator[HeardEvent]:
        """Yield the events that are complete with these bytes."""
        self._rest += data
        begin = 0
        for match in _END.finditer(self._rest):
            piece, begin = self._rest[begin : match.end()], match.end()
            event = parse_event(piece)
            if event is None:
                self.refused += 1
            else:
                yield event
        self._rest = self._rest[begin:]
        if len(self._rest) > _EVENT_BYTES_MAX:
            self.refused += 1
            self._rest = b""


def parse_event(piece: bytes) -> HeardEvent | None:
    """Return the event that a piece of a stream ends with; None: it is none."""
    start = piece.rfind(b"<event")
    if start < 0 or len(piece) - start > _EVENT_BYTES_MAX:
        return None
    text = piece[start:]
    if b"<!" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
        point = root.find("point")
        if point is None or not root.get("uid") or not root.get("type"):
            return None
        latitude, longitude = float(point.get("lat", "")), float(point.get("lon", ""))
        hae = float(point.get("hae", UNKNOWN_M))
        time_ns = _time_ns(root.get("time", ""))
    except (ElementTree.ParseError, ValueError, OverflowError):
        return None
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 360.0):
        return None
    is_known = math.isfinite(hae) and abs(hae) < UNKNOWN_M
    contact, remarks = root.find("detail/contact"), root.find("detail/remarks")
    return HeardEvent(
        root.get("uid", ""),
        root.get("type", ""),
        latitude,
        longitude,
        hae if is_known else math.nan,
        contact.get("callsign", "") if contact is not None else "",
        (remarks.text or "") if remarks is not None else "",
        tuple(one.get("callsign", "") for one in root.findall("detail/marti/dest")),
        time_ns,
        _shape(root, (latitude, longitude)),
    )


def _shape(root: Element, centre: Place) -> tuple[Place, ...]:
    """Return the corners of a drawn shape; empty: there is none, or it cannot be read."""
    try:
        ellipses = [
            tuple(float(one.get(name, "")) for name in ("major", "minor", "angle"))
            for one in root.findall("detail/shape/ellipse")
        ]
        if ellipses:
            major_m, minor_m, angle_deg = max(ellipses)  # of rings the outermost
            return ellipse(centre, major_m, minor_m, angle_deg)
        corners = [one.get("point", "").split(",") for one in root.findall("detail/link[@point]")]
        return polygon([(float(latitude), float(longitude)) for latitude, longitude, *_ in corners])
    except ValueError:
        return ()


def _add(parent: Element, one: Detail) -> None:
    attributes = {name: _clean(value) for name, value in one.attributes.items()}
    element = SubElement(parent, one.tag, attributes)
    if one.text:
        element.text = _clean(one.text)


def _clean(text: str) -> str:
    return _NO_XML.sub("", text)


def _time_ns(text: str) -> int:
    """Return a time of ISO 8601 in UTC; raises ValueError, OverflowError."""
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    moment = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1e9) + round(float(match[2] or 0.0) * 1e9)


def _moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _metres(length_m: float) -> str:
    return f"{length_m:.2f}" if math.isfinite(length_m) else f"{UNKNOWN_M:.1f}"
