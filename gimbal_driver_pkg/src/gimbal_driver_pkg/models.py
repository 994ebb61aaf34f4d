"""What differs from model to model: limits, zoom, optics, what they do not answer. One table.

Angles are degrees in REP 103: yaw + is left, pitch + is nose down. The vendors publish no slew
rates; `max_rate_deg_s` is what the driver will ask for at most.

Sources: SIYI SDK protocol V0.1.1 (limits, zoom, missing acknowledgements in its appendix 2);
ArduPilot's AP_Mount_Siyi (limits, zoom of the ZT6); fields of view from the SIYI manuals of the A8
mini (81) and the ZR10 (61.5) and Viewpro's FAQ 13 for its 40x camera (62.95). Where nothing is
published the note says what stands in; every limit can be set by parameter.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.messages import SetAngle, SetRate, SetZoom


@dataclass(frozen=True)
class GimbalModel:
    """One model.

    Attributes:
        name: as in parameters and messages.
        title: as the maker writes it.
        protocol: "siyi", "viewpro" or "mavlink".
        product: SIYI's product code, the first two characters of the hardware id.
        yaw_deg, pitch_deg: mechanical limits (least, greatest).
        has_endless_yaw: yaw goes round and its reading wraps at 180.
        zoom_max: greatest magnification.
        hfov_deg: horizontal field of view at zoom 1; NaN where not known.
        silent: commands that it takes but does not acknowledge.
        streams: it pushes attitude when asked to.
        max_rate_deg_s: greatest rate to ask for.
    """

    name: str
    title: str
    protocol: str
    product: str = ""
    yaw_deg: tuple[float, float] = (-135.0, 135.0)
    pitch_deg: tuple[float, float] = (-25.0, 90.0)
    has_endless_yaw: bool = False
    zoom_max: float = 1.0
    hfov_deg: float = math.nan
    silent: frozenset[type] = frozenset()
    streams: bool = False
    max_rate_deg_s: float = 90.0


_ENDLESS = (-180.0, 180.0)

MODELS: dict[str, GimbalModel] = {
    model.name: model
    for model in (
        GimbalModel("a2mini", "A2 mini", "siyi", "75", yaw_deg=(0.0, 0.0)),
        GimbalModel("a8mini", "A8 mini", "siyi", "73", zoom_max=6.0, hfov_deg=81.0, streams=True),
        GimbalModel("zr10", "ZR10", "siyi", "6B", zoom_max=30.0, hfov_deg=61.5, streams=True),
        GimbalModel(
            "zr30",
            "ZR30",
            "siyi",
            "78",
            yaw_deg=(-270.0, 270.0),
            zoom_max=30.0,
            silent=frozenset({SetRate, SetAngle, SetZoom}),
        ),
        # Limits not published: those of its sisters.
        GimbalModel("zt6", "ZT6", "siyi", "83", zoom_max=6.0),
        GimbalModel(
            "zt30",
            "ZT30",
            "siyi",
            "7A",
            yaw_deg=_ENDLESS,
            has_endless_yaw=True,
            zoom_max=30.0,
            streams=True,
        ),
        # Greatest zoom not published: the driver asks for it.
        GimbalModel("mt11", "MT11", "siyi", "8A", _ENDLESS, (-30.0, 90.0), has_endless_yaw=True),
        # Limits not published: what the vendor's SDK accepts.
        GimbalModel("a40", "A40", "viewpro", "", _ENDLESS, (-90.0, 90.0), False, 40.0, 62.95),
        GimbalModel("q30tir", "Q30TIR", "viewpro", "", _ENDLESS, (-90.0, 90.0), False, 30.0),
        # Tells its limits itself.
        GimbalModel(
            "mavlink", "MAVLink gimbal", "mavlink", "", _ENDLESS, (-90.0, 90.0), streams=True
        ),
    )
}


def model_named(name: str) -> GimbalModel:
    """Return the model called `name`.

    Raises:
        InvalidValueError: there is none.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise InvalidValueError(
            f"model: {name!r}, allowed are {', '.join(sorted(MODELS))}"
        ) from None


def model_of_product(product: str) -> GimbalModel | None:
    """Return the SIYI model with this product code."""
    return next((m for m in MODELS.values() if product and m.product == product), None)


DEFAULT_MODELS = {"siyi": "a8mini", "viewpro": "a40", "mavlink": "mavlink"}
"""Whose limits hold until the gimbal has said what it is: the narrowest of its protocol."""


class RateMap:
    """How fast a SIYI gimbal turns for a unit of its rate command, -100..100.

    The vendor does not tell; the map is monotonic, and the same for both directions.
    """

    def __init__(self, points: tuple[tuple[int, float], ...]) -> None:
        """Take points (unit, deg/s), both rising, from the end of the dead band on."""
        self._units = [float(unit) for unit, _ in points]
        self._deg_s = [deg_s for _, deg_s in points]

    def unit_of(self, rate_rad_s: float) -> int:
        """Return the unit that comes nearest to a rate; beyond 100 it is cut."""
        unit = _interpolate(abs(math.degrees(rate_rad_s)), self._deg_s, self._units)
        return round(math.copysign(min(unit, 100.0), rate_rad_s)) if rate_rad_s else 0

    def rate_of(self, unit: int) -> float:
        """Return the rate in rad/s for a unit."""
        deg_s = _interpolate(float(abs(unit)), self._units, self._deg_s)
        return math.copysign(math.radians(max(deg_s, 0.0)), unit)


def _interpolate(x: float, xs: list[float], ys: list[float]) -> float:
    """Interpolate linearly; beyond the last point go on at its slope."""
    i = min(max(bisect_left(xs, x), 1), len(xs) - 1)
    x0, x1, y0, y1 = xs[i - 1], xs[i], ys[i - 1], ys[i]
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)


RATE_MAPS = {
    # MAVProxy's module SIYI measured it: a dead band up to 4, then about 1.5 deg/s per unit.
    "measured": RateMap(
        (
            (4, 0.0),
            (5, 1.75),
            (6, 3.0),
            (7, 4.7),
            (8, 6.0),
            (9, 7.5),
            (10, 9.0),
            (15, 16.2),
            (20, 23.8),
            (25, 31.2),
            (30, 38.6),
            (40, 53.4),
            (50, 68.1),
            (60, 83.4),
            (70, 98.0),
        )
    ),
    # ArduPilot assumes 100 to be 90 deg/s.
    "linear": RateMap(((0, 0.0), (100, 90.0))),
}
