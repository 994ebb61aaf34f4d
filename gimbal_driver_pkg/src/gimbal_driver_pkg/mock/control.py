"""What a test, or a person, may tell a running mock and ask it.

One JSON object a line, each answered by the state, or by {"error": ...}:

    {"faults": {"noise": 0.001}}    change some faults (see `faults`)
    {"camera": {"has_card": false}} change the camera's state
    {"cut": true}                   close all connections, unplug the serial line and plug it in
    {"reboot": 2.0}                 switch off and on; it boots for so many seconds
    {"vehicle": {"fix_type": 0}}    change where the vehicle is (see `vehicle`)
    {"speed": 0.1}                  move so many times as fast as life from now on
    {}                              just the state
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.mock.body import Dynamics
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.faults import InjectedFaults

_CAMERA = ("has_card", "is_upside_down")


class Controlled(Protocol):
    """What orders are given to: the running mock (`server.MockServer`)."""

    gimbal: MockGimbal
    faults: InjectedFaults

    @property
    def client_count(self) -> int:
        """Return how many clients are connected now."""

    @property
    def intact_frames(self) -> int:
        """Return how many frames left whole, to all clients there ever were."""

    def advance(self) -> float:
        """Let the gimbal move on to now and return the time [s]."""

    def cut(self) -> None:
        """Close all connections."""

    def wake(self) -> None:
        """Look again at what is due."""


def reply(server: Controlled, line: bytes) -> dict[str, Any]:
    """Follow one line and return the answer."""
    try:
        obey(server, json.loads(line))
    except (ValueError, TypeError, AttributeError) as error:
        return {"error": str(error)}
    return state(server)


def obey(server: Controlled, orders: Mapping[str, Any]) -> None:
    """Follow orders.

    Raises:
        InvalidValueError: there is no such order, or a value does not fit.
    """
    now_s = server.advance()
    for name, value in orders.items():
        match name:
            case "faults":
                server.faults = server.faults.changed(value)
            case "camera":
                _set_camera(server, value)
            case "cut":
                server.cut()
            case "reboot":
                server.gimbal.reboot(now_s, float(value))
            case "vehicle" if server.gimbal.vehicle is not None:
                server.gimbal.vehicle = server.gimbal.vehicle.changed(value)
            case "speed":
                server.gimbal.body.dynamics = Dynamics().times(float(value))
            case _:
                allowed = "faults, camera, cut, reboot, vehicle (where there is one), speed"
                raise InvalidValueError(f"order {name!r}, allowed are {allowed}")
    server.wake()


def _set_camera(server: Controlled, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if name not in _CAMERA or not isinstance(value, bool):
            allowed = f"{', '.join(_CAMERA)}: true or false"
            raise InvalidValueError(f"camera: {name}: {value!r}, allowed are {allowed}")
        setattr(server.gimbal.camera, name, value)


def state(server: Controlled) -> dict[str, Any]:
    """Return the truth, in REP 103 radians."""
    server.advance()
    body, camera = server.gimbal.body, server.gimbal.camera
    return {
        "yaw_rad": body.yaw.angle_rad,
        "pitch_rad": body.pitch.angle_rad,
        "yaw_rate_rad_s": body.yaw.rate_rad_s,
        "pitch_rate_rad_s": body.pitch.rate_rad_s,
        "is_still": body.is_still,
        "zoom": body.zoom,
        "mode": camera.mode.value,
        "is_recording": camera.is_recording,
        "photos": camera.photos,
        "clients": server.client_count,
        "intact_frames": server.intact_frames,
        "faults": asdict(server.faults),
    }
