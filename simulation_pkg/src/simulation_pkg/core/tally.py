"""Counting what was seen: for one line a second and a summary at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


class Tally:
    """Frames and detections by class, since the start and since the last line."""

    def __init__(self) -> None:
        self.frames = 0
        self.classes: Counter[str] = Counter()
        self.confirmed: int | None = None
        self._recent_frames = 0
        self._recent: Counter[str] = Counter()
        self._inference_ms = 0.0

    @property
    def detections(self) -> int:
        """Detections since the start."""
        return self.classes.total()

    @property
    def has_succeeded(self) -> bool:
        """Whether something was detected that is there; without the truth, anything at all."""
        return bool(self.detections if self.confirmed is None else self.confirmed)

    def add(
        self, class_names: Sequence[str], inference_ms: float, confirmed: int | None = None
    ) -> None:
        """Count one frame.

        Args:
            class_names: of its detections, one each.
            inference_ms: time of its inference [ms].
            confirmed: how many of them are truly there; None: nobody knows.
        """
        if confirmed is not None:
            self.confirmed = (self.confirmed or 0) + confirmed
        self.frames += 1
        self._recent_frames += 1
        self.classes.update(class_names)
        self._recent.update(class_names)
        self._inference_ms = inference_ms

    def line(self, elapsed_s: float) -> str:
        """Return what was seen in the `elapsed_s` > 0 seconds since the last line, in words."""
        frames, recent = self._recent_frames, self._recent
        self._recent_frames, self._recent = 0, Counter()
        if frames == 0:
            return "no frames"
        seen = ", ".join(f"{name} {n / frames:.1f}" for name, n in recent.most_common())
        return (
            f"{frames / elapsed_s:.1f} frames/s, {recent.total() / elapsed_s:.1f} detections/s, "
            f"inference {self._inference_ms:.0f} ms; in each frame: {seen or 'nothing'}"
        )

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return everything since the start in words; `seconds` is the time it took."""
        truth = {} if self.confirmed is None else {"confirmed": self.confirmed}
        return {
            "frames": self.frames,
            "detections": self.detections,
            **truth,
            "classes": dict(self.classes.most_common()),
            "fps": round(self.frames / seconds, 2) if seconds > 0 else 0.0,
            "seconds": round(seconds, 1),
        }
