"""Who is who on a MAVLink network: which of those who speak is our gimbal, and who we are.

A telemetry radio or a router carries the words of other vehicles and other gimbals, too. Only the
vehicle's own system counts, in it only the chosen gimbal, its manager and the camera; an
acknowledgement counts if it is for us. What is not set is learnt:

    the vehicle's system: from the first heartbeat of an autopilot. Where somebody of system 1
        speaks, and for longer than between two heartbeats no autopilot does, 1: a gimbal on a cable
        of its own, as it is shipped. Until one of both nobody is commanded
    the gimbal's device id: from its manager (GIMBAL_MANAGER_INFORMATION, GIMBAL_MANAGER_STATUS);
        before it 154. The autopilot's word counts more than another manager's, a lesser id more
        than a greater one, whatever comes first

A device id 1..6 is a gimbal without MAVLink behind the autopilot, which then speaks for it. Source:
mavlink.io, "Gimbal Protocol v2" and "Routing".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.protocol.mavlink.vehicle import OF_THE_AUTOPILOT

GIMBAL_COMPONENT = int(mav.MAV_COMP_ID_GIMBAL)
AUTOPILOT_COMPONENT = int(mav.MAV_COMP_ID_AUTOPILOT1)
CAMERA_COMPONENT = int(mav.MAV_COMP_ID_CAMERA)

_USUAL_SYSTEM = 1
_ALONE_S = 1.2
"""[s] Heartbeats come once a second: an autopilot that is there has spoken by then."""
_LAST_WITHOUT_MAVLINK = 6
_NO_AUTOPILOTS = frozenset({mav.MAV_TYPE_GCS, mav.MAV_TYPE_GIMBAL, mav.MAV_TYPE_CAMERA})
_NAMING = frozenset({"GIMBAL_MANAGER_INFORMATION", "GIMBAL_MANAGER_STATUS"})
_OF_THE_DEVICE = frozenset({"GIMBAL_DEVICE_ATTITUDE_STATUS", "GIMBAL_DEVICE_INFORMATION"})
_OF_THE_CAMERA = frozenset({"CAMERA_SETTINGS", "CAMERA_CAPTURE_STATUS"})


@dataclass(frozen=True)
class MavlinkIds:
    """The ids that are set; 0 stands for what is learnt.

    Attributes:
        system, component: our own; system 0: the vehicle's.
        vehicle_system: of the vehicle that carries the gimbal.
        gimbal_component: the gimbal's device id: its component, or 1..6 behind the autopilot.
    """

    system: int = 0
    component: int = int(mav.MAV_COMP_ID_ONBOARD_COMPUTER)
    vehicle_system: int = 0
    gimbal_component: int = 0


class Addresses:
    """What is set and learnt of the ids, and whose words count. Pure."""

    def __init__(self, ids: MavlinkIds, is_client_of_manager: bool) -> None:
        """Take the ids that are set, and whether a manager is steered or the device itself."""
        self._ids = ids
        self._is_client = is_client_of_manager
        self._vehicle = ids.vehicle_system or _USUAL_SYSTEM
        self._is_vehicle_known = ids.vehicle_system != 0
        self._device = ids.gimbal_component or GIMBAL_COMPONENT
        self._manager: int | None = None
        self._other_autopilots: set[int] = set()
        self._other_gimbals: set[tuple[int, int]] = set()
        self._has_heard_gimbal = False
        self._has_heard_usual = False
        self._first_heard_s = math.inf

    @property
    def own(self) -> tuple[int, int]:
        """Return our (system, component)."""
        return self._ids.system or self._vehicle, self._ids.component

    @property
    def device_id(self) -> int:
        """Return the chosen gimbal's device id, for messages to its manager."""
        return self._device

    @property
    def target(self) -> tuple[int, int]:
        """Return (system, component) of whom we steer: the device, or its manager."""
        return self._vehicle, self._manager_component if self._is_client else self._component

    @property
    def autopilot(self) -> tuple[int, int]:
        """Return (system, component) of the vehicle's autopilot."""
        return self._vehicle, AUTOPILOT_COMPONENT

    @property
    def camera(self) -> tuple[int, int]:
        """Return (system, component) of the vehicle's camera."""
        return self._vehicle, CAMERA_COMPONENT

    def ready_s(self) -> float:
        """Return when the vehicle is known: -inf already, inf it cannot be said yet."""
        if self._is_vehicle_known:
            return -math.inf
        return self._first_heard_s + _ALONE_S if self._has_heard_usual else math.inf

    def hear(self, message: Any, now_s: float) -> bool:
        """Learn from a message of `now_s`; return whether it is for us, from whom we listen to."""
        kind = message.get_type()
        source = message.get_srcSystem(), message.get_srcComponent()
        self._first_heard_s = min(self._first_heard_s, now_s)
        self._has_heard_usual = self._has_heard_usual or source[0] == _USUAL_SYSTEM
        if kind == "HEARTBEAT":
            self._hear_heartbeat(message, source)
        if source[0] != self._vehicle:
            return False
        if kind in _NAMING:
            self._hear_manager(source[1], message.gimbal_device_id)
        return self._counts(message, kind, source[1])

    def vehicle_problems(self) -> tuple[str, ...]:
        """Return what the user should set about the vehicle, a line each."""
        if not self._other_autopilots or self._ids.vehicle_system:
            return ()
        heard = ", ".join(map(str, sorted(self._other_autopilots)))
        return (
            f"autopilots of several systems are heard: {self._vehicle} is taken for ours, "
            f"not {heard}; set mavlink_vehicle_system_id",
        )

    def problems(self) -> tuple[str, ...]:
        """Return what the user should set, a line each."""
        problems = list(self.vehicle_problems())
        if self._other_gimbals and not self._has_heard_gimbal:
            heard = ", ".join(f"{s}/{c}" for s, c in sorted(self._other_gimbals))
            problems.append(
                f"no word of gimbal {self._vehicle}/{self._component} (system/component), but of "
                f"{heard}: set mavlink_vehicle_system_id or mavlink_gimbal_component_id"
            )
        return tuple(problems)

    @property
    def _manager_component(self) -> int:
        return AUTOPILOT_COMPONENT if self._manager is None else self._manager

    @property
    def _component(self) -> int:
        """The chosen gimbal's own component; a gimbal without MAVLink has none: the usual one."""
        return GIMBAL_COMPONENT if self._device <= _LAST_WITHOUT_MAVLINK else self._device

    def _hear_heartbeat(self, message: Any, source: tuple[int, int]) -> None:
        system, component = source
        is_autopilot = (
            component == AUTOPILOT_COMPONENT
            and message.autopilot != mav.MAV_AUTOPILOT_INVALID
            and message.type not in _NO_AUTOPILOTS
        )
        if is_autopilot and not self._is_vehicle_known:
            self._is_vehicle_known = True
            if system != self._vehicle:
                self._vehicle = system
                self._device = self._ids.gimbal_component or GIMBAL_COMPONENT
                self._manager = None
                self._has_heard_gimbal = False
        elif is_autopilot and system != self._vehicle:
            self._other_autopilots.add(system)
        if message.type == mav.MAV_TYPE_GIMBAL and source != (self._vehicle, self._component):
            self._other_gimbals.add(source)

    def _hear_manager(self, component: int, device_id: int) -> None:
        if device_id == 0 or (self._ids.gimbal_component not in (0, device_id)):
            return
        if self._manager is None or _rank(component, device_id) < _rank(
            self._manager, self._device
        ):
            self._manager, self._device = component, device_id

    def _counts(self, message: Any, kind: str, component: int) -> bool:
        """Return whether a message of the vehicle's own system is one for us."""
        gimbal, manager = self._component, self._manager_component
        if kind in _OF_THE_DEVICE:
            named = message.gimbal_device_id
            is_its_own = component == gimbal and named in (0, self._device)
            is_it = is_its_own or (component == manager and named == self._device)
            self._has_heard_gimbal = self._has_heard_gimbal or is_it
            return is_it
        if kind in OF_THE_AUTOPILOT:
            return component == AUTOPILOT_COMPONENT and self._is_vehicle_known
        if kind in _NAMING:
            return component == manager and message.gimbal_device_id == self._device
        from_ours = component in (gimbal, manager, CAMERA_COMPONENT)
        if kind == "COMMAND_ACK":
            ours = self.own
            # 0 is "everybody", and what older senders leave out.
            return (
                from_ours
                and message.target_system in (0, ours[0])
                and message.target_component in (0, ours[1])
            )
        return from_ours if kind in _OF_THE_CAMERA else True


def _rank(component: int, device_id: int) -> tuple[bool, int]:
    return component != AUTOPILOT_COMPONENT, device_id
