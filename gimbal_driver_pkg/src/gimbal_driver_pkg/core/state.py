"""What the driver knows of the gimbal, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

from gimbal_driver_pkg.core.limits import SoftLimits
from gimbal_driver_pkg.protocol.messages import Attitude, Mode
from ros_support_pkg.core.words import LinkState


@dataclass(frozen=True)
class GimbalState:
    """A moment, in REP 103 radians.

    Attributes:
        attitude: the newest reading, perhaps of an earlier line; None before the first.
        age_s: since that reading; infinite without one.
        zoom, hfov_rad: NaN while not known.
        model, firmware: "" while not known.
        problems: what is wrong, a line each, in words for people.
    """

    link: LinkState
    attitude: Attitude | None
    age_s: float
    zoom: float
    hfov_rad: float
    mode: Mode | None
    is_recording: bool
    yaw_saturated: bool
    pitch_saturated: bool
    limits: SoftLimits
    model: str
    firmware: str
    is_streaming: bool
    problems: tuple[str, ...]
