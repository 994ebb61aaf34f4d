"""What somebody may say who marks an event by hand: the same for the service and the page."""

from __future__ import annotations

import re

LABEL_CHARS_MAX = 120
#: No control characters: labels are shown, logged and made into names of folders.
LABEL_PATTERN = r"^[^\x00-\x1f]+$"
SECONDS_MAX = 600.0


def check_event_mark(label: str, before_s: float, after_s: float) -> None:
    """Refuse what may not be said.

    Args:
        before_s, after_s: [s] 0 to `SECONDS_MAX`; below 0: as the recorder is set.

    Raises:
        ValueError: one line with the name, the value and what is allowed.
    """
    if not 0 < len(label) <= LABEL_CHARS_MAX or re.fullmatch(LABEL_PATTERN, label) is None:
        raise ValueError(
            f"label is {label[:40]!r} with {len(label)} characters, 1 to {LABEL_CHARS_MAX} without "
            "control characters are allowed"
        )
    for name, value in (("before_s", before_s), ("after_s", after_s)):
        if not value <= SECONDS_MAX:
            raise ValueError(
                f"{name} is {value:g}, 0 to {SECONDS_MAX:g} s are allowed, or less than 0 for what "
                "the recorder is set to"
            )
