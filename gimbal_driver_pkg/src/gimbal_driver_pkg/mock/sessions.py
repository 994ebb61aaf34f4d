"""The session for each protocol."""

from __future__ import annotations

from gimbal_driver_pkg.mock.session import MockGimbal, Session
from gimbal_driver_pkg.mock.siyi import SiyiSession
from gimbal_driver_pkg.mock.viewpro import ViewproSession


def new_session(gimbal: MockGimbal, now_s: float, is_tcp: bool) -> Session:
    """Begin a client's conversation with `gimbal` in the protocol that it speaks."""
    match gimbal.model.protocol:
        case "siyi":
            return SiyiSession(gimbal, now_s)
        case "viewpro":
            return ViewproSession(gimbal, now_s, has_envelope=is_tcp)
    from gimbal_driver_pkg.mock.mavlink import MavlinkSession  # pymavlink takes 0.2 s to load

    return MavlinkSession(gimbal, now_s)
