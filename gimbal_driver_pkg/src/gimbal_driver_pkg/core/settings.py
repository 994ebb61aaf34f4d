"""What can be set about the driver's behaviour. The reasons stand beside the numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gimbal_driver_pkg.errors import InvalidValueError

#: Smallest and largest allowed value.
RANGES: dict[str, tuple[float, float]] = {
    "attitude_hz": (1.0, 100.0),
    "stream_stall_s": (0.05, 10.0),
    "stream_renew_s": (0.5, 60.0),
    "stale_s": (0.05, 10.0),
    "silence_s": (0.1, 60.0),
    "boot_silence_s": (0.1, 60.0),
    "rate_timeout_s": (0.05, 1.0),
    "command_hz": (1.0, 200.0),
    "soft_margin_deg": (0.0, 45.0),
    "tolerance_deg": (0.05, 10.0),
}


@dataclass(frozen=True)
class DriverSettings:
    """Times are seconds, angles degrees in REP 103; NaN limits are the model's."""

    attitude_hz: float = 20.0
    """Rate of attitude, pushed or asked for; public drivers run 10 to 50."""
    use_stream: bool = True
    """Ask the gimbal to push attitude; where it does not, it is polled."""
    stream_stall_s: float = 0.5
    """Without a push for so long, poll."""
    stream_renew_s: float = 5.0
    """Clients in the field renew the stream every 1.5 to 10 s."""
    stale_s: float = 0.5
    """Attitude older than this is too old to steer by: rate output stops."""
    silence_s: float = 1.0
    """A line without an intact frame for so long is dead: open it anew."""
    boot_silence_s: float = 5.0
    """The same before the first frame after opening."""
    rate_timeout_s: float = 0.2
    """A rate command not renewed for so long ends: the dead-man stop."""
    command_hz: float = 50.0
    """Most set-points a second on the wire; the newest wins."""
    soft_margin_deg: float = 2.0
    """The soft limits lie so far inside the mechanical ones."""
    tolerance_deg: float = 0.5
    """So near, an angle counts as reached."""
    yaw_min_deg: float = math.nan
    yaw_max_deg: float = math.nan
    pitch_min_deg: float = math.nan
    pitch_max_deg: float = math.nan
    max_rate_deg_s: float = math.nan
    zoom_max: float = math.nan
    wide_hfov_deg: float = math.nan

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidValueError(f"{name}: {value}, allowed is {low:g}..{high:g}")
        for axis in ("yaw", "pitch"):
            low, high = getattr(self, f"{axis}_min_deg"), getattr(self, f"{axis}_max_deg")
            if low >= high:
                raise InvalidValueError(
                    f"{axis}_min_deg: {low}, allowed is less than {axis}_max_deg ({high})"
                )
