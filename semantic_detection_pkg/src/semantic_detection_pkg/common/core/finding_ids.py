"""Names of findings: the mission's start and a number, `1764176400000000000-7`."""

from __future__ import annotations

import re

_ID = re.compile(r"(\d{1,20})-(\d{1,9})", re.ASCII)


def make_finding_id(started_ns: int, number: int) -> str:
    """Return the name of a finding.

    Args:
        started_ns: [ns] since the epoch, when its mission was begun.
        number: 1.. in the mission.
    """
    return f"{started_ns}-{number}"


def parse_finding_id(finding_id: str) -> tuple[int, int] | None:
    """Return mission and number of a name; None where it is somebody else's."""
    match = _ID.fullmatch(finding_id)
    return (int(match[1]), int(match[2])) if match else None
