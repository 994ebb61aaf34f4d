"""What the gimbal has told, kept and judged. Pure."""

from __future__ import annotations

import dataclasses
import math

from gimbal_driver_pkg.core.limits import SoftLimits
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.models import MODELS, GimbalModel
from gimbal_driver_pkg.protocol import messages as m
from ros_support_pkg.core.pose_history import hfov_at_zoom

_RATE_SPAN_S = 0.5
"""[s] Readings farther apart tell no rate."""

_CONVINCING = 3
"""So many readings in a row that agree are where the gimbal is, whatever the model's limits say."""

_AGREEING_RAD = math.radians(15.0)
"""[rad] No gimbal turns farther between two readings; two of noise agree once in some 1000."""


class Knowledge:
    """The sum of all events.

    Attributes:
        model: whose limits and habits are in force.
        is_model_fixed: it was set by the user and does not change.
        told_model: what the gimbal says it is; "" before it has.
        limits: in force now.
        reading: the newest attitude, perhaps of an earlier line.
        zoom, told_hfov_rad: NaN while not known.
        unbelievable: readings beyond what this model can reach, and not (yet) confirmed by others.
    """

    def __init__(self, settings: DriverSettings, model: GimbalModel, is_model_fixed: bool) -> None:
        """Know nothing but the model that stands in until the gimbal has told its own."""
        self.model = model
        self.is_model_fixed = is_model_fixed
        self.told_model = ""
        self.limits = SoftLimits.of(model, settings)
        self.reading: m.Attitude | None = None
        self.zoom = self.told_hfov_rad = math.nan
        self.config = m.Config(0.0)
        self.firmware = ""
        self.faults: tuple[str, ...] = ()
        self.is_control_lost = False
        self.unbelievable = 0
        self._settings = settings
        self._beyond: m.Attitude | None = None  # the newest reading, if no model's like it can be
        self._confirmations = 0

    def hfov_rad(self) -> float:
        """Return the horizontal field of view now; NaN while not known."""
        if not math.isnan(self.told_hfov_rad):
            return self.told_hfov_rad
        wide_deg = self._settings.wide_hfov_deg
        wide_deg = self.model.hfov_deg if math.isnan(wide_deg) else wide_deg
        return hfov_at_zoom(math.radians(wide_deg), self.zoom)

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong by the gimbal's own words, a line each."""
        problems = [f"the gimbal reports a {name} fault" for name in self.faults]
        if self.told_model not in ("", self.model.name):
            problems.append(f"the gimbal says it is {self.told_model}, not {self.model.name}")
        if self.is_control_lost:
            problems.append("somebody else controls the gimbal")
        if self._beyond is not None and self._confirmations >= _CONVINCING:
            problems.append(self._what_is_beyond(self._beyond))
        return tuple(problems)

    def apply(self, event: m.Event) -> m.Query | None:
        """Apply an event, and return the question that it answers."""
        match event:
            case m.Attitude():
                return m.Query.ATTITUDE if self._take_reading(event) else None
            case m.Model(name=name, text=text):
                self._take_model(name, text)
                return m.Query.MODEL
            case m.Firmware(version=version, is_ready=is_ready):
                self.firmware = version if is_ready else ""
                return m.Query.FIRMWARE if is_ready else None
            case m.Config():
                self.config = _merged(self.config, event)
                return m.Query.CONFIG
            case m.Zoom(zoom=zoom) if zoom >= 1:
                self.zoom = zoom
                return m.Query.ZOOM
            case m.ZoomMax(zoom=zoom) if zoom >= 1:
                if math.isnan(self._settings.zoom_max):
                    self.limits = dataclasses.replace(self.limits, zoom_max=zoom)
                return m.Query.ZOOM_MAX
            case m.FieldOfView(hfov_rad=hfov_rad) if hfov_rad > 0:
                self.told_hfov_rad = hfov_rad
            case m.Limits():
                self.limits = self.limits.narrowed(event)
                return m.Query.LIMITS
            case m.Control(is_ours=is_ours):
                self.is_control_lost = not is_ours
                return m.Query.CONTROL if is_ours else None
            case m.Faults(names=names):
                self.faults = names
        return None

    def _take_model(self, name: str, text: str) -> None:
        self.told_model = name or f"unknown ({text})"
        if name and not self.is_model_fixed and name != self.model.name:
            self.model = MODELS[name]
            self.limits = SoftLimits.of(self.model, self._settings)

    def _take_reading(self, reading: m.Attitude) -> bool:
        yaw, pitch = self.limits.yaw, self.limits.pitch
        if yaw.is_believable(reading.yaw_rad) and pitch.is_believable(reading.pitch_rad):
            self._beyond, self._confirmations = None, 0
        elif not self._is_confirmed(reading):
            self.unbelievable += 1
            return False
        self.reading = _with_rates(reading, self.reading)
        return True

    def _is_confirmed(self, reading: m.Attitude) -> bool:
        """Take a reading beyond the limits; tell whether those before it say the same."""
        before, self._beyond = self._beyond, reading
        agrees = before is not None and _agree(before, reading)
        self._confirmations = self._confirmations + 1 if agrees else 1
        return self._confirmations >= _CONVINCING

    def _what_is_beyond(self, reading: m.Attitude) -> str:
        axes = (
            ("yaw", reading.yaw_rad, self.limits.yaw),
            ("pitch", reading.pitch_rad, self.limits.pitch),
        )
        beyond = " and ".join(
            f"{name} {math.degrees(angle_rad):.1f} deg, beyond its "
            f"{math.degrees(limits.low_rad):.0f}..{math.degrees(limits.high_rad):.0f} deg"
            for name, angle_rad, limits in axes
            if not limits.is_believable(angle_rad)
        )
        return f"the {self.model.name} reads {beyond}: another model, or another mount?"


def _with_rates(reading: m.Attitude, last: m.Attitude | None) -> m.Attitude:
    """Return the reading with rates from the one before, where the gimbal tells none."""
    if not math.isnan(reading.yaw_rate_rad_s) or last is None:
        return reading
    elapsed_s = reading.stamp_s - last.stamp_s
    if not 0 < elapsed_s <= _RATE_SPAN_S:
        return reading
    return reading._replace(
        yaw_rate_rad_s=math.remainder(reading.yaw_rad - last.yaw_rad, math.tau) / elapsed_s,
        pitch_rate_rad_s=(reading.pitch_rad - last.pitch_rad) / elapsed_s,
        roll_rate_rad_s=(reading.roll_rad - last.roll_rad) / elapsed_s,
    )


def _agree(one: m.Attitude, other: m.Attitude) -> bool:
    yaw = math.remainder(one.yaw_rad - other.yaw_rad, math.tau)
    return max(abs(yaw), abs(one.pitch_rad - other.pitch_rad)) <= _AGREEING_RAD


def _merged(old: m.Config, new: m.Config) -> m.Config:
    """Return `new` with what it does not tell taken from `old`."""
    kept = {
        field.name: getattr(old, field.name)
        for field in dataclasses.fields(new)
        if getattr(new, field.name) is None
    }
    return dataclasses.replace(new, **kept)
