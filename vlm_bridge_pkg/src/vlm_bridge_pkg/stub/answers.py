"""What the stub may say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """An answer, and the probability of "yes" as its first word; None: not told."""

    text: str
    p_yes: float | None = None
