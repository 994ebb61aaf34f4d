"""What can be set about the node `vehicle`, which has a line to the autopilot of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from gimbal_driver_pkg.core.settings import BAUD_RATES, MavlinkIdSettings, VehicleSettings
from ros_support_pkg.core.settings import setting


@dataclass(frozen=True)
class VehicleNodeSettings:
    """Settings of the node `vehicle`."""

    line: str = setting(
        "udpin://127.0.0.1:14550",
        "line to the autopilot, MAVLink 2: a serial device, socket://HOST:PORT (TCP), "
        "udp://HOST:PORT, or udpin://ADDRESS:PORT, where this node listens",
    )
    serial_baud: int = setting(
        57600, "baud rate of a serial line", minimum=min(BAUD_RATES), maximum=max(BAUD_RATES)
    )
    mavlink: MavlinkIdSettings = field(default_factory=MavlinkIdSettings)
    base_frame: str = setting("gimbal_base", "frame of what is published")
    vehicle: VehicleSettings = field(default_factory=VehicleSettings)
