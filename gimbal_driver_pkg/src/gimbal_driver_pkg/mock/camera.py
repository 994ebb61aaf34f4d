"""The state of the camera in a mock gimbal, beside where it points. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gimbal_driver_pkg.protocol.messages import Mode


@dataclass
class Camera:
    """What its commands change."""

    mode: Mode = Mode.FOLLOW
    is_upside_down: bool = False
    is_recording: bool = False
    has_card: bool = True
    is_hdr: bool = False
    photos: int = 0

    def take_photo(self) -> bool:
        """Take a photo and tell whether there was a card for it."""
        self.photos += self.has_card
        return self.has_card

    def record(self, is_on: bool) -> bool:
        """Start or stop recording and tell whether it could be done."""
        if is_on and not self.has_card:
            return False
        self.is_recording = is_on
        return True
