"""Launch arguments that have another name now. Those of parameters stand at their fields.

The launch files declare each old name, too, so that it is refused with the new one; a test compares
them with this table.
"""

from __future__ import annotations

RENAMED_ARGUMENTS = {
    "mock": "mock_gimbal",
    "overrides": "params_file",
    "scan": "autostart_scan",
    "seconds": "duration_s",
    "tier3": "vlm",
    "without": "exclude_topics",
    "words": "classes",
}


def refusal(new: str) -> str:
    """Return what is said of a name that is called otherwise now, after the old name."""
    return f"is not known any more, it is called '{new}' now"
