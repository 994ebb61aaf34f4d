"""The driver: what to say to a gimbal and when, from what it says and what is wanted. Pure.

No I/O, no threads, no clock: bytes and times come in as arguments, frames to send go out by
`take_frames`. `links.driver_runner` gives it a line, a thread and a clock.

    opened -> STOP, questions, attitude -> receive .. tick .. -> closed
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable

from gimbal_driver_pkg.core.attitude_source import AttitudeSource
from gimbal_driver_pkg.core.handshake import Handshake
from gimbal_driver_pkg.core.knowledge import Knowledge
from gimbal_driver_pkg.core.link_state import LinkEvent, follow
from gimbal_driver_pkg.core.motion import Aim, Motion
from gimbal_driver_pkg.core.requests import PendingCommands, SuccessCheck, Ticket
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.core.sign_check import SignCheck
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.core.vehicle_watch import VehicleWatch
from gimbal_driver_pkg.core.zooming import Zooming
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.models import DEFAULT_MODELS, MODELS, GimbalModel
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.codec import Codec
from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.words import LinkState

_MODEL_WAIT_S = 3.0
"""[s] A gimbal that does not say what it is, is driven with the narrowest limits after that."""

_RESULT_WAIT_S = 2.0
"""[s] Photos and recordings are confirmed within a second or two, if at all."""

_DEAF_BYTES = 200
"""So many bytes without a frame mean another baud rate or protocol."""


class GimbalDriver:
    """Drives one gimbal through one codec."""

    def __init__(
        self,
        codec: Codec,
        protocol: str,
        settings: DriverSettings,
        model: GimbalModel | None = None,
        vehicle: VehicleWatch | None = None,
    ) -> None:
        """Drive `model`; None: whichever the gimbal says it is. `vehicle` listens, too."""
        self.vehicle = vehicle
        self._codec = codec
        self._settings = settings
        self._known = Knowledge(
            settings, model or MODELS[DEFAULT_MODELS[protocol]], is_model_fixed=model is not None
        )
        self._link = LinkState.DOWN
        self._frames: list[bytes] = []
        self._opened_s = self._heard_s = -math.inf
        self._frames_before = self._skipped_before = 0
        self._is_addressed = False
        self._motion = Motion(self._known.limits, codec.traits, settings)
        self._zooming = Zooming()
        self._source = AttitudeSource(codec.traits, settings)
        self._handshake = Handshake(codec.traits)
        self._requests = PendingCommands()
        self._sign_check = SignCheck()

    def opened(self, now_s: float) -> None:
        """Begin on a new line: stop the gimbal unless an angle is to be reached, ask who it is."""
        self._codec.reset()
        self._frames.clear()
        self._link = follow(self._link, LinkEvent.OPENED)
        self._opened_s, self._heard_s = now_s, -math.inf
        counters = self._codec.counters
        self._frames_before, self._skipped_before = counters.frames, counters.skipped_bytes
        self._motion.reconnected(now_s)
        self._handshake.restart(now_s)
        self._source.restart(now_s)
        if self.vehicle:
            self.vehicle.restart(now_s)
        self.tick(now_s)

    def closed(self) -> None:
        """Note that the line is lost."""
        self._link = follow(self._link, LinkEvent.LOST)
        self._frames.clear()
        self._handshake.pause()
        self._source.pause()
        if self.vehicle:
            self.vehicle.pause()
        self._zooming.cancel()
        self._requests.fail_all("the line to the gimbal is lost")

    def receive(self, data: bytes, now_s: float) -> None:
        """Take bytes read at `now_s`."""
        frames = self._codec.counters.frames
        for event in self._codec.feed(data, now_s):
            self._handle(event, now_s)
        if self._codec.counters.frames > frames:
            self._heard_s = now_s
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        if self._link is LinkState.DOWN:
            return
        self._judge_link(now_s)
        if not self._knows_whom(now_s):
            self._frames += map(self._codec.encode, self._handshake.keep_alive(now_s))
            return
        for command in (
            *self._motion.commands(self._fresh_reading(now_s), now_s),
            *self._zooming.commands(now_s),
            *self._requests.commands(now_s),
            *self._source.commands(now_s),
            *self._handshake.commands(now_s),
        ):
            self._frames.append(self._codec.encode(command))
        if self.vehicle:
            self._frames += map(self._codec.encode, self.vehicle.commands(now_s))

    def due_s(self) -> float:
        """Return when `tick` must run next; infinity while there is no line."""
        if self._link is LinkState.DOWN:
            return math.inf
        if not self._is_addressed:
            return min(self._codec.ready_s(), self._handshake.keep_alive_due_s())
        parts = (self._motion, self._zooming, self._requests, self._source, self._handshake)
        due_s = min(part.due_s() for part in parts)
        return min(due_s, self.vehicle.due_s()) if self.vehicle else due_s

    def take_frames(self) -> list[bytes]:
        """Return what has to leave now, a frame each, in order."""
        frames, self._frames = self._frames, []
        return frames

    def is_silent(self, now_s: float) -> bool:
        """Tell whether the line is dead though open: no intact frame for too long."""
        if self.has_heard:
            return now_s - self._heard_s > self._settings.link_timeout_s
        return now_s - self._opened_s > self._settings.boot_timeout_s

    @property
    def has_heard(self) -> bool:
        """Whether an intact frame has come over this line."""
        return self._heard_s >= self._opened_s

    @property
    def stop_frame(self) -> bytes:
        """What stops the gimbal; for those who must do it without the driver."""
        return self._codec.encode(m.STOP)

    @property
    def addressee(self) -> Hashable:
        """Whom `stop_frame` is for: another one needs another frame."""
        return self._codec.addressee

    @property
    def aim(self) -> Aim | None:
        """The goal of the last angle command, while it is in force: the very object it returned."""
        return self._motion.aim

    @property
    def obeyed_s(self) -> float | None:
        """When the newest motion command left; see `Motion`."""
        return self._motion.obeyed_s

    @property
    def is_moving(self) -> bool:
        """Whether the gimbal may be moving because of us."""
        return self._is_addressed and self._motion.is_moving

    # --- commands --------------------------------------------------------------------------------

    def turn(self, yaw_rate_rad_s: float, pitch_rate_rad_s: float, now_s: float) -> None:
        """Turn at a rate; it ends by itself unless renewed.

        Raises:
            InvalidValueError: NaN or infinite.
            LinkError: there is no line.
        """
        self._refuse_without_line()
        self._motion.turn(m.SetRate(yaw_rate_rad_s, pitch_rate_rad_s), now_s)
        self.tick(now_s)

    def point(self, yaw_rad: float, pitch_rad: float, now_s: float) -> Aim:
        """Go to angles, cut to the soft limits; return what they became.

        Raises:
            InvalidValueError: NaN or infinite.
            LinkError: there is no line.
        """
        self._refuse_without_line()
        aim = self._motion.point(yaw_rad, pitch_rad, now_s)
        self.tick(now_s)
        return aim

    def center(self, now_s: float) -> Ticket:
        """Go to the middle; the ticket says that it is on its way.

        Raises:
            LinkError: there is no line.
        """
        self._refuse_without_line()
        self._motion.center(now_s)
        self.tick(now_s)
        return _settled("centre", "on its way")

    def stop(self, now_s: float) -> None:
        """Stand still and stop zooming."""
        if self._zooming.is_running:
            self._zooming.run(0.0, 0.0, now_s)
        self._motion.stop(now_s)
        self.tick(now_s)

    def interrupted(self, now_s: float) -> None:
        """Say again what moves the gimbal: we were late, and it may have been stopped for that."""
        self._motion.interrupted()
        self.tick(now_s)

    def zoom_to(self, zoom: float, now_s: float) -> tuple[Ticket, float]:
        """Zoom to a magnification, cut to what the model can; return that too."""
        check_range("zoom", zoom, error=InvalidValueError)
        goal = max(1.0, min(self._motion.limits.zoom_max, zoom))
        self._zooming.cancel()
        return self._request(f"zoom to {goal:.1f}", m.SetZoom(goal), now_s), goal

    def zoom_at(self, rate: float, duration_s: float, now_s: float) -> Ticket:
        """Zoom at a rate -1..1 for a while (0 < s <= 10); rate 0 stops.

        Raises:
            InvalidValueError: out of range.
            LinkError: there is no line.
        """
        self._refuse_without_line()
        check_range("duration_s", duration_s, above=0.0, maximum=10.0, error=InvalidValueError)
        self._zooming.run(rate, duration_s, now_s)
        self.tick(now_s)
        return _settled("zoom", "running" if rate else "stopped")

    def focus(self, command: m.SetFocus, now_s: float) -> Ticket:
        """Focus."""
        return self._request(f"focus {command.focus.value}", command, now_s)

    def set_mode(self, mode: m.Mode, now_s: float) -> Ticket:
        """Change what the gimbal keeps still."""

        def check(event: m.Event) -> bool | None:
            return (event.mode is mode or None) if isinstance(event, m.Config) else None

        ticket = self._request(f"mode {mode.value}", m.SetMode(mode), now_s, check)
        self._handshake.ask_now(m.Query.CONFIG, now_s)
        return ticket

    def take_photo(self, now_s: float) -> Ticket:
        """Take one photo."""
        return self._request("photo", m.TakePhoto(), now_s, tries=1, wait_s=_RESULT_WAIT_S)

    def record(self, is_on: bool, now_s: float) -> Ticket:
        """Start or stop recording; nothing is sent if it is so already."""
        what = "recording on" if is_on else "recording off"
        if self._known.config.is_recording is is_on:
            return _settled(what, "was so already")

        def check(event: m.Event) -> bool | None:
            if isinstance(event, m.Config):
                return (event.is_recording is is_on) or None
            return False if event == m.Ack(event.stamp_s, m.SwitchRecording, False) else None

        # Once only: SIYI's command is a toggle.
        ticket = self._request(
            what, m.SwitchRecording(is_on), now_s, check, tries=1, wait_s=_RESULT_WAIT_S
        )
        self._handshake.ask_now(m.Query.CONFIG, now_s)
        return ticket

    def _request(
        self,
        what: str,
        command: m.Command,
        now_s: float,
        check: SuccessCheck | None = None,
        tries: int = 3,
        wait_s: float = 0.3,
    ) -> Ticket:
        kind = type(command)
        self._refuse_without_line()
        frame = self._codec.encode(command)  # refuses what the protocol lacks
        is_acknowledged = (
            kind in self._codec.traits.acknowledged and kind not in self._known.model.silent
        )
        if check is None and not is_acknowledged:
            self._frames.append(frame)
            return _settled(what, "sent; this gimbal does not acknowledge it")
        ticket = self._requests.submit(
            what, command, check or _is_acknowledged(kind), now_s, tries, wait_s
        )
        self.tick(now_s)
        return ticket

    def _refuse_without_line(self) -> None:
        if self._link is LinkState.DOWN:
            raise LinkError("no line to the gimbal")
        if not self._is_addressed:
            raise LinkError("it is not known yet which gimbal on the line is ours")

    def _knows_whom(self, now_s: float) -> bool:
        """Tell whether it is known whom to command; once it is, it stays so."""
        self._is_addressed = self._is_addressed or now_s >= self._codec.ready_s()
        return self._is_addressed

    # --- what is known ---------------------------------------------------------------------------

    def state(self, now_s: float) -> GimbalState:
        """Return what is known now."""
        known, motion = self._known, self._motion
        reading = known.reading
        return GimbalState(
            link=self._link,
            attitude=reading,
            age_s=now_s - reading.stamp_s if reading else math.inf,
            zoom=known.zoom,
            hfov_rad=known.hfov_rad(),
            mode=known.config.mode,
            is_recording=bool(known.config.is_recording),
            yaw_saturated=motion.yaw_saturated,
            pitch_saturated=motion.pitch_saturated,
            limits=known.limits,
            model=known.model.name if known.is_model_fixed or known.told_model else "",
            firmware=known.firmware,
            is_streaming=self._source.is_streaming,
            problems=self._problems(now_s),
        )

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start."""
        return {
            **dataclasses.asdict(self._codec.counters),
            "unbelievable_readings": self._known.unbelievable,
            "unanswered_commands": self._requests.unanswered,
        }

    def _problems(self, now_s: float) -> tuple[str, ...]:
        counters = self._codec.counters
        skipped = counters.skipped_bytes - self._skipped_before
        is_deaf = counters.frames == self._frames_before and skipped > _DEAF_BYTES
        deaf = ("bytes come, but no frame: wrong baud rate or protocol?",) if is_deaf else ()
        return (
            *deaf,
            *self._codec.problems(),
            *self._known.problems(),
            *self._sign_check.faults,
            *(self.vehicle.problems(now_s) if self.vehicle else ()),
        )

    def _handle(self, event: m.Event, now_s: float) -> None:
        if self.vehicle:
            self.vehicle.take(event)
        self._requests.settle_by(event)
        answered = self._known.apply(event)
        self._motion.limits = self._known.limits
        if answered is not None:
            self._handshake.answered(answered, now_s)
        if answered is m.Query.ATTITUDE and self._known.reading:
            self._source.heard(now_s)
            self._sign_check.add_reading(self._motion.commanded, self._known.reading)
            self._motion.add_reading(self._known.reading)

    def _judge_link(self, now_s: float) -> None:
        known = self._known
        is_fresh = self._fresh_reading(now_s) is not None
        has_waited = now_s > self._opened_s + _MODEL_WAIT_S
        if is_fresh and (known.is_model_fixed or known.told_model or has_waited):
            self._link = follow(self._link, LinkEvent.KNOWN)
        self._link = follow(self._link, LinkEvent.HEARD if is_fresh else LinkEvent.AGED)

    def _fresh_reading(self, now_s: float) -> m.Attitude | None:
        reading = self._known.reading
        if reading is None or reading.stamp_s < self._opened_s:
            return None
        return reading if now_s - reading.stamp_s <= self._settings.attitude_timeout_s else None


def _settled(what: str, how: str) -> Ticket:
    """Return the ticket of a command that has nothing to wait for."""
    ticket = Ticket(what)
    ticket.settle(True, f"{what}: {how}")
    return ticket


def _is_acknowledged(kind: type) -> SuccessCheck:
    def check(event: m.Event) -> bool | None:
        return event.is_ok if isinstance(event, m.Ack) and event.kind is kind else None

    return check
