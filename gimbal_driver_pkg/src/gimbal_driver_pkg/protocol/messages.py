"""What a driver says to any gimbal (commands) and what any gimbal tells it (events).

A command with a number that no gimbal can follow cannot be made: it raises InvalidValueError.

Angles are radians in REP 103, relative to the gimbal's base: yaw + is left, pitch + is nose down,
roll + is right side down. `stamp_s` is when the bytes were read, on the driver's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.vehicle_messages import StreamVehicle, VehicleEvent
from ros_support_pkg.core.ranges import check_range

NAN = float("nan")


_check = partial(check_range, error=InvalidValueError)


class Mode(Enum):
    """What the gimbal keeps still."""

    LOCK = "lock"
    """The heading in the world."""
    FOLLOW = "follow"
    """Yaw follows the vehicle."""
    FPV = "fpv"
    """Yaw and roll follow the vehicle."""


class Focus(Enum):
    """What the lens does."""

    STOP = "stop"
    AUTO = "auto"
    NEAR = "near"
    FAR = "far"


class Query(Enum):
    """What can be asked."""

    MODEL = "model"
    FIRMWARE = "firmware"
    LIMITS = "limits"
    CONTROL = "control"
    CONFIG = "config"
    ATTITUDE = "attitude"
    ZOOM = "zoom"
    ZOOM_MAX = "zoom_max"


# --- commands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """Ask once."""

    query: Query


@dataclass(frozen=True)
class StreamAttitude:
    """Ask for attitude again and again, about `rate_hz` times a second; 0 ends it."""

    rate_hz: float

    def __post_init__(self) -> None:
        _check("rate_hz", self.rate_hz, 0.0, 200.0)


@dataclass(frozen=True)
class KeepAlive:
    """Tell that somebody is there."""


@dataclass(frozen=True)
class SetRate:
    """Turn at this rate until told otherwise."""

    yaw_rate_rad_s: float
    pitch_rate_rad_s: float

    def __post_init__(self) -> None:
        _check("yaw_rate_rad_s", self.yaw_rate_rad_s)
        _check("pitch_rate_rad_s", self.pitch_rate_rad_s)


STOP = SetRate(0.0, 0.0)


@dataclass(frozen=True)
class SetAngle:
    """Go to these angles and stay there."""

    yaw_rad: float
    pitch_rad: float

    def __post_init__(self) -> None:
        _check("yaw_rad", self.yaw_rad)
        _check("pitch_rad", self.pitch_rad)


@dataclass(frozen=True)
class Center:
    """Go to the middle of both axes."""


@dataclass(frozen=True)
class SetMode:
    """Change what is kept still."""

    mode: Mode


@dataclass(frozen=True)
class SetZoom:
    """Zoom to a magnification."""

    zoom: float

    def __post_init__(self) -> None:
        _check("zoom", self.zoom, 1.0, 200.0)


@dataclass(frozen=True)
class ZoomAtRate:
    """Zoom until told otherwise: -1 full speed out .. 1 full speed in, 0 stops."""

    rate: float

    def __post_init__(self) -> None:
        _check("rate", self.rate, -1.0, 1.0)


@dataclass(frozen=True)
class SetFocus:
    """Focus; `x` and `y` 0..1 of the picture, for AUTO."""

    focus: Focus
    x: float = 0.5
    y: float = 0.5

    def __post_init__(self) -> None:
        _check("x", self.x, 0.0, 1.0)
        _check("y", self.y, 0.0, 1.0)


@dataclass(frozen=True)
class TakePhoto:
    """Take one photo with the gimbal's own camera."""


@dataclass(frozen=True)
class SwitchRecording:
    """Start or stop recording in the gimbal's own camera.

    SIYI can only toggle, so send it only while the state is the other one.
    """

    is_on: bool


@dataclass(frozen=True)
class Raw:
    """Any message of the protocol's table, by its name and fields there."""

    command: str
    fields: Mapping[str, Any]


Command = (
    Ask
    | StreamAttitude
    | KeepAlive
    | SetRate
    | SetAngle
    | Center
    | SetMode
    | SetZoom
    | ZoomAtRate
    | SetFocus
    | TakePhoto
    | SwitchRecording
    | Raw
    | StreamVehicle
)

# --- events --------------------------------------------------------------------------------------


class Attitude(NamedTuple):  # a hundred a second: made in a fifth of a frozen dataclass's time
    """Where the gimbal points; a rate is NaN where the protocol does not tell it.

    The angles turn in the order yaw, roll, pitch, whatever the wire's order (`protocol.rotation`).
    """

    stamp_s: float
    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    yaw_rate_rad_s: float = NAN
    pitch_rate_rad_s: float = NAN
    roll_rate_rad_s: float = NAN


@dataclass(frozen=True)
class Model:
    """Which gimbal it is: a name of `models`, or "" for one that is not known by `text`."""

    stamp_s: float
    name: str
    text: str


@dataclass(frozen=True)
class Firmware:
    """Its version; a gimbal that is still booting is not ready."""

    stamp_s: float
    version: str
    is_ready: bool


@dataclass(frozen=True)
class Limits:
    """The mechanical limits as the gimbal itself tells them."""

    stamp_s: float
    yaw_min_rad: float
    yaw_max_rad: float
    pitch_min_rad: float
    pitch_max_rad: float


@dataclass(frozen=True)
class Control:
    """Whether we are the one whom the gimbal's manager obeys."""

    stamp_s: float
    is_ours: bool


@dataclass(frozen=True)
class Faults:
    """What the gimbal says is wrong with it; empty while all is well."""

    stamp_s: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """How it is set; None where the protocol does not tell."""

    stamp_s: float
    mode: Mode | None = None
    is_upside_down: bool | None = None
    is_recording: bool | None = None
    has_card: bool | None = None


@dataclass(frozen=True)
class Zoom:
    """The magnification now."""

    stamp_s: float
    zoom: float


@dataclass(frozen=True)
class ZoomMax:
    """The greatest magnification now."""

    stamp_s: float
    zoom: float


@dataclass(frozen=True)
class FieldOfView:
    """The horizontal field of view now."""

    stamp_s: float
    hfov_rad: float


@dataclass(frozen=True)
class Ack:
    """The gimbal took, or refused, the newest command of this kind."""

    stamp_s: float
    kind: type[Any]
    is_ok: bool


@dataclass(frozen=True)
class Other:
    """A message without a meaning to every gimbal, as in the protocol's table."""

    stamp_s: float
    command: str
    fields: Mapping[str, Any]


Event = (
    Attitude
    | Model
    | Firmware
    | Limits
    | Control
    | Faults
    | Config
    | Zoom
    | ZoomMax
    | FieldOfView
    | Ack
    | VehicleEvent
    | Other
)
