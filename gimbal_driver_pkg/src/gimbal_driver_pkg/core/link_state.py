"""The states of the line to the gimbal, and the only table of how they follow each other."""

from __future__ import annotations

from enum import Enum

from ros_support_pkg.core.words import LinkState


class LinkEvent(Enum):
    """What moves it."""

    OPENED = "opened"
    KNOWN = "model and attitude known"
    AGED = "attitude too old"
    HEARD = "attitude fresh"
    LOST = "line lost"


TRANSITIONS: dict[tuple[LinkState, LinkEvent], LinkState] = {
    (LinkState.DOWN, LinkEvent.OPENED): LinkState.HANDSHAKE,
    (LinkState.HANDSHAKE, LinkEvent.KNOWN): LinkState.UP,
    (LinkState.UP, LinkEvent.AGED): LinkState.STALE,
    (LinkState.STALE, LinkEvent.HEARD): LinkState.UP,
    (LinkState.HANDSHAKE, LinkEvent.LOST): LinkState.DOWN,
    (LinkState.STALE, LinkEvent.LOST): LinkState.DOWN,
    (LinkState.UP, LinkEvent.LOST): LinkState.DOWN,
}


def follow(state: LinkState, event: LinkEvent) -> LinkState:
    """Return the state after `event`; an event without a row changes nothing."""
    return TRANSITIONS.get((state, event), state)
