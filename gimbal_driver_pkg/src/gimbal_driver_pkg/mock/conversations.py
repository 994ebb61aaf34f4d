"""The conversation for each protocol."""

from __future__ import annotations

from gimbal_driver_pkg.mock.conversation import Conversation, MockGimbal
from gimbal_driver_pkg.mock.siyi import SiyiConversation
from gimbal_driver_pkg.mock.viewpro import ViewproConversation


def new_conversation(gimbal: MockGimbal, now_s: float, is_tcp: bool) -> Conversation:
    """Begin a client's conversation with `gimbal` in the protocol that it speaks."""
    match gimbal.model.protocol:
        case "siyi":
            return SiyiConversation(gimbal, now_s)
        case "viewpro":
            return ViewproConversation(gimbal, now_s, has_envelope=is_tcp)
    from gimbal_driver_pkg.mock.mavlink import MavlinkConversation  # pymavlink takes 0.2 s to load

    return MavlinkConversation(gimbal, now_s)
