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
