"""Parameters of the gimbal driver node, and what they build."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from gimbal_driver_pkg.core.build import AUTO
from gimbal_driver_pkg.core.settings import RANGES, DriverSettings
from gimbal_driver_pkg.links.link import BAUD_RATES
from gimbal_driver_pkg.models import DEFAULT_MODELS, MODELS, RATE_MAPS
from ros_support_pkg.parameters import parameter


def _setting(name: str, document: str) -> Any:
    """A parameter that is a number of `DriverSettings`, with its default and range."""
    minimum, maximum = RANGES.get(name, (None, None))
    default = getattr(DriverSettings(), name)
    return parameter(default, document, minimum=minimum, maximum=maximum)


@dataclass(frozen=True)
class GimbalDriverParameters:
    """Parameters of the gimbal driver node. A limit that is NaN is the model's."""

    gimbal_mode: str = parameter(
        "serial", "which line of those below", choices=("serial", "mock_tcp", "udp")
    )
    serial_device: str = parameter("/dev/ttyTHS1", "device of the gimbal's serial line")
    serial_baud: int = parameter(
        115200, "baud rate of the serial line", minimum=min(BAUD_RATES), maximum=max(BAUD_RATES)
    )
    mock_address: str = parameter("127.0.0.1:9090", "host:port of the mock gimbal")
    udp_address: str = parameter("192.168.144.25:37260", "host:port of a SIYI gimbal")
    protocol: str = parameter("siyi", "what the gimbal speaks", choices=tuple(DEFAULT_MODELS))
    model: str = parameter(
        AUTO, "whose limits hold; auto: what the gimbal says it is", choices=(AUTO, *MODELS)
    )
    rate_map: str = parameter("measured", "scale of SIYI's rates", choices=tuple(RATE_MAPS))
    mavlink_role: str = parameter(
        "device",
        "we are the manager of a device, or a manager is there",
        choices=("device", "manager"),
    )
    state_hz: float = parameter(50.0, "rate of gimbal/state", minimum=1.0, maximum=200.0)
    base_frame: str = parameter("gimbal_base", "frame that the angles are relative to")
    point_timeout_s: float = parameter(
        10.0, "[s] a gimbal/point goal takes at most", minimum=0.1, maximum=120.0
    )
    attitude_hz: float = _setting("attitude_hz", "rate at which attitude is asked for")
    use_stream: bool = _setting("use_stream", "ask the gimbal to push attitude")
    stream_stall_s: float = _setting("stream_stall_s", "[s] without a push until it is polled")
    stream_renew_s: float = _setting("stream_renew_s", "[s] between renewals of the stream")
    stale_s: float = _setting("stale_s", "[s] age from which attitude is too old to steer by")
    silence_s: float = _setting("silence_s", "[s] of silence until the line is opened anew")
    boot_silence_s: float = _setting("boot_silence_s", "[s] the same before the first frame")
    rate_timeout_s: float = _setting("rate_timeout_s", "[s] a rate command lives: dead-man stop")
    command_hz: float = _setting("command_hz", "most set-points a second on the wire")
    soft_margin_deg: float = _setting("soft_margin_deg", "[deg] soft limits inside the mechanical")
    tolerance_deg: float = _setting("tolerance_deg", "[deg] so near, an angle is reached")
    yaw_min_deg: float = _setting("yaw_min_deg", "[deg] mechanical limit to the right")
    yaw_max_deg: float = _setting("yaw_max_deg", "[deg] mechanical limit to the left")
    pitch_min_deg: float = _setting("pitch_min_deg", "[deg] mechanical limit upwards")
    pitch_max_deg: float = _setting("pitch_max_deg", "[deg] mechanical limit downwards")
    max_rate_deg_s: float = _setting("max_rate_deg_s", "[deg/s] fastest turn to be sent")
    zoom_max: float = _setting("zoom_max", "[x] greatest zoom")
    wide_hfov_deg: float = _setting("wide_hfov_deg", "[deg] horizontal field of view at zoom 1")

    @property
    def url(self) -> str:
        """The line in force."""
        return {
            "serial": self.serial_device,
            "mock_tcp": f"socket://{self.mock_address}",
            "udp": f"udp://{self.udp_address}",
        }[self.gimbal_mode]

    def settings(self) -> DriverSettings:
        """The part that the core knows."""
        return DriverSettings(
            **{field.name: getattr(self, field.name) for field in fields(DriverSettings)}
        )
