"""Refuse numbers that are out of their range: one check and one wording for all packages.

The line says what it is about, the value and what is allowed: "zoom: 0.5, allowed is 1..200".
"""

from __future__ import annotations

import math


def allowed_range(
    minimum: float = -math.inf,
    maximum: float = math.inf,
    *,
    above: float | None = None,
    unit: str = "",
) -> str:
    """Return a range in words; `above` excludes its lower end."""
    is_bounded = maximum < math.inf
    if above is not None:
        words = f"more than {above:g}" + (f", up to {maximum:g}" if is_bounded else "")
    elif minimum > -math.inf:
        words = f"{minimum:g}..{maximum:g}" if is_bounded else f"{minimum:g} or more"
    else:
        words = f"up to {maximum:g}" if is_bounded else "a finite number"
    return f"{words} {unit}".rstrip()


def check_range(
    name: str,
    value: float,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    *,
    above: float | None = None,
    unit: str = "",
    error: type[Exception] = ValueError,
) -> None:
    """Refuse a number that is out of its range; NaN and infinity always are.

    Args:
        minimum, maximum: ends of the range, both allowed.
        above: instead of `minimum`: what is not allowed any more.
        unit: of the numbers, for the line.
        error: type of the exception.
    """
    is_low = value <= above if above is not None else value < minimum
    if not math.isfinite(value) or is_low or value > maximum:
        allowed = allowed_range(minimum, maximum, above=above, unit=unit)
        raise error(f"{name}: {value}, allowed is {allowed}")
