"""Settings that several rooms have."""

from __future__ import annotations

from typing import Any

from ros_support_pkg.core.settings import DEGREES, setting


def wide_hfov_setting() -> Any:
    """Return the field `wide_hfov_rad` of who computes with views of gimbals that tell none."""
    return setting(
        62.0,
        "horizontal field of view at zoom 1, of gimbals that do not tell theirs",
        minimum=1.0,
        maximum=150.0,
        scale=DEGREES,
        formerly=("hfov_wide_rad",),
    )


def max_latency_setting(what: str) -> Any:
    """Return the field of how long after its capture something may come, in words of people.

    At 1 s a person who steers by the picture overshoots, and what is found has moved on.
    """
    return setting(
        1.0,
        f"{what} later than this after the capture are a warning",
        minimum=0.05,
        maximum=60.0,
    )
