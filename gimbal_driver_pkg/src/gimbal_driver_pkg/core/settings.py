"""What can be set about the gimbal driver. The reasons stand beside the numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import DEFAULT_MODELS, MODELS, RATE_MAPS
from ros_support_pkg.core.settings import SettingError, check, setting

#: Model of a gimbal that says itself which it is.
AUTO = "auto"
BAUD_RATES = (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


def _limit(text: str) -> Any:
    return setting(math.nan, f"{text}; .nan: the model's")


def _check(settings: Any) -> None:
    try:
        check(settings)
    except SettingError as error:
        raise InvalidValueError(str(error)) from None


@dataclass(frozen=True)
class DriverSettings:
    """How the driver behaves. Angles are degrees in REP 103; a limit that is NaN is the model's.

    Raises:
        InvalidValueError: on construction, if a value is out of its range.
    """

    # Public drivers run 10 to 50.
    attitude_hz: float = setting(
        20.0, "rate at which attitude is asked for", minimum=1.0, maximum=100.0
    )
    use_stream: bool = setting(
        True, "ask the gimbal to push attitude; where it does not, it is polled"
    )
    stream_timeout_s: float = setting(
        0.5,
        "time without a push until attitude is polled",
        minimum=0.05,
        maximum=10.0,
        formerly=("stream_stall_s",),
    )
    # Clients in the field renew the stream every 1.5 to 10 s.
    stream_renew_period_s: float = setting(
        5.0,
        "time between renewals of the stream",
        minimum=0.5,
        maximum=60.0,
        formerly=("stream_renew_s",),
    )
    attitude_timeout_s: float = setting(
        0.5,
        "age from which attitude is too old to steer by: output of rates stops",
        minimum=0.05,
        maximum=10.0,
        formerly=("stale_s",),
    )
    link_timeout_s: float = setting(
        1.0,
        "silence after which the line is opened anew",
        minimum=0.1,
        maximum=60.0,
        formerly=("silence_s",),
    )
    boot_timeout_s: float = setting(
        5.0,
        "the same before the first intact frame",
        minimum=0.1,
        maximum=60.0,
        formerly=("boot_silence_s",),
    )
    rate_timeout_s: float = setting(
        0.2, "how long a rate command lives: the dead-man stop", minimum=0.05, maximum=1.0
    )
    command_hz: float = setting(
        50.0, "most set-points a second on the wire; the newest wins", minimum=1.0, maximum=200.0
    )
    soft_limit_margin_deg: float = setting(
        2.0,
        "distance of the soft limits from the mechanical ones",
        minimum=0.0,
        maximum=45.0,
        formerly=("soft_margin_deg",),
    )
    goal_tolerance_deg: float = setting(
        0.5,
        "distance at which an angle counts as reached",
        minimum=0.05,
        maximum=10.0,
        formerly=("tolerance_deg",),
    )
    yaw_min_deg: float = _limit("mechanical limit to the right")
    yaw_max_deg: float = _limit("mechanical limit to the left")
    pitch_min_deg: float = _limit("mechanical limit upwards")
    pitch_max_deg: float = _limit("mechanical limit downwards")
    max_rate_deg_s: float = _limit("fastest turn to be sent")
    zoom_max: float = setting(math.nan, "greatest zoom; .nan: the model's", unit="x")
    wide_hfov_deg: float = _limit("horizontal field of view at zoom 1")

    def __post_init__(self) -> None:
        _check(self)
        for axis in ("yaw", "pitch"):
            low, high = getattr(self, f"{axis}_min_deg"), getattr(self, f"{axis}_max_deg")
            if low >= high:
                raise InvalidValueError(
                    f"{axis}_min_deg: {low}, allowed is less than {axis}_max_deg ({high})"
                )


@dataclass(frozen=True)
class MavlinkIdSettings:
    """Who we are on a MAVLink line, and which vehicle is ours."""

    mavlink_system_id: int = setting(
        0, "our own system id; 0: the vehicle's", minimum=0, maximum=255
    )
    # MAV_COMP_ID_ONBOARD_COMPUTER
    mavlink_component_id: int = setting(191, "our own component id", minimum=1, maximum=255)
    mavlink_vehicle_system_id: int = setting(
        0,
        "system id of the vehicle that carries the gimbal; 0: that of the first autopilot heard, "
        "1 where none speaks",
        minimum=0,
        maximum=255,
    )

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class MavlinkSettings(MavlinkIdSettings):
    """Who is who on a MAVLink line; only these are listened to and steered."""

    mavlink_role: str = setting(
        "device",
        "we are the manager of a device, or a manager is there",
        choices=("device", "manager"),
    )
    mavlink_gimbal_component_id: int = setting(
        0,
        "the gimbal's device id: its component id, or 1 to 6 behind an autopilot; 0: the one that "
        "the gimbal manager names, 154 before and without one",
        minimum=0,
        maximum=255,
    )


@dataclass(frozen=True)
class VehicleSettings:
    """What is told of the vehicle, by `fix` and `imu`."""

    # SIYI and MAVLink gimbals tell pitch and roll against the horizon, not against the vehicle.
    vehicle_attitude: str = setting(
        "heading",
        "what imu tells of the attitude: its heading alone, where the gimbal keeps pitch and roll "
        "to the horizon by itself; full, where the gimbal's angles tilt with the vehicle",
        choices=("heading", "full"),
    )
    vehicle_rate_hz: float = setting(
        10.0, "rate at which position and attitude are asked for", minimum=1.0, maximum=50.0
    )
    vehicle_timeout_s: float = setting(
        2.0,
        "age from which a position is none any more; then fix says so",
        minimum=0.5,
        maximum=60.0,
    )
    vehicle_geoid_height_m: float = setting(
        math.nan,
        "sea level above the ellipsoid here, where the autopilot does not tell it; .nan: not known",
    )

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class GimbalDriverSettings:
    """Settings of the gimbal driver node."""

    gimbal_mode: str = setting(
        "serial", "which line of those below", choices=("serial", "mock_tcp", "udp")
    )
    serial_device: str = setting("/dev/ttyTHS1", "device of the gimbal's serial line")
    serial_baud: int = setting(
        115200, "baud rate of the serial line", minimum=min(BAUD_RATES), maximum=max(BAUD_RATES)
    )
    mock_address: str = setting("127.0.0.1:9090", "host:port of the mock gimbal")
    udp_address: str = setting("192.168.144.25:37260", "host:port of a SIYI gimbal")
    protocol: str = setting("siyi", "what the gimbal speaks", choices=tuple(DEFAULT_MODELS))
    model: str = setting(
        AUTO, "whose limits hold; auto: what the gimbal says it is", choices=(AUTO, *MODELS)
    )
    rate_map: str = setting("measured", "scale of SIYI's rates", choices=tuple(RATE_MAPS))
    mavlink: MavlinkSettings = field(default_factory=MavlinkSettings)
    publish_vehicle: bool = setting(
        False,
        "mavlink: tell where the vehicle is (fix, imu) as its autopilot says on the gimbal's "
        "line, where nobody else tells it",
    )
    vehicle: VehicleSettings = field(default_factory=VehicleSettings)
    state_hz: float = setting(
        50.0,
        "greatest rate of gimbal/state; what is not new comes 12 times a second",
        minimum=1.0,
        maximum=200.0,
    )
    base_frame: str = setting("gimbal_base", "frame that the angles are relative to")
    point_timeout_s: float = setting(
        10.0, "longest time of a gimbal/point goal", minimum=0.1, maximum=120.0
    )
    driver: DriverSettings = field(default_factory=DriverSettings)

    @property
    def url(self) -> str:
        """Return the line in force."""
        return {
            "serial": self.serial_device,
            "mock_tcp": f"socket://{self.mock_address}",
            "udp": f"udp://{self.udp_address}",
        }[self.gimbal_mode]
