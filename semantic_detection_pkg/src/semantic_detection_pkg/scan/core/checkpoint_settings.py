"""What can be set about keeping and resuming a mission."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import setting


@dataclass(frozen=True)
class CheckpointSettings:
    """Where a mission is kept, and what becomes of it when the controller starts again."""

    output_dir: str = setting(
        "",
        "folder of the recordings, in which the mission is kept, to be resumed; empty: it is not"
        " kept",
    )
    resume_policy: str = setting(
        "at_once_after_crash",
        "when a kept mission goes on without an operator's word: never (ask), where only the"
        " controller had ended unexpectedly, always (at_once); discard: it is removed",
        choices=("ask", "at_once_after_crash", "at_once", "discard"),
    )
    max_checkpoint_age_s: float = setting(
        600.0,
        "an older mission waits for an operator's word, whatever the policy",
        minimum=1.0,
        maximum=604_800.0,
    )
