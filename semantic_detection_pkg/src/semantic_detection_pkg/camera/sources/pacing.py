"""How fast a source without a clock of its own is read: the `rate` option of files and folders."""

from __future__ import annotations

from typing import NamedTuple

from semantic_detection_pkg.camera.core.uri import number

_FALLBACK_HZ = 25.0  # for files that do not say their rate, or one that cannot be meant
_OWN_HZ_MIN, _OWN_HZ_MAX = 1 / 60, 1000.0


class Pacing(NamedTuple):
    """See `FrameSource`: a period [s], or the consumer's pace."""

    period_s: float | None = None
    waits_for_consumer: bool = False

    @classmethod
    def choose(cls, rate: float | str, own_hz: float) -> Pacing:
        """Return the pacing for a rate as `parse_rate` returns it.

        Args:
            rate: "source", "max" or frames per second.
            own_hz: rate of the source itself; 0 or NaN: unknown.
        """
        if rate == "max":
            return cls(None, True)
        if rate != "source":
            return cls(1 / float(rate))
        return cls(1 / (own_hz if _OWN_HZ_MIN < own_hz < _OWN_HZ_MAX else _FALLBACK_HZ))


def parse_rate(text: str) -> float | str:
    """Read `source`, `max` or frames per second."""
    if text in ("source", "max"):
        return text
    try:
        return number(0.01, 1000.0)(text)
    except ValueError:
        raise ValueError("must be source, max or frames per second in 0.01..1000") from None
