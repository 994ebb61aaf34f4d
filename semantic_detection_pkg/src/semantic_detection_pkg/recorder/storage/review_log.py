"""The log of reviews on the disk: `reviews.jsonl` beside the recorder's folders, a line for each.

It is only appended to. A line that a power cut has left half written is passed over, and the next
one begins on a line of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from semantic_detection_pkg.recorder.core.reviews import Review, review_of_line

FILE = "reviews.jsonl"
_BYTES_MAX = 100_000_000


class ReviewLog:
    """Reads and appends."""

    def __init__(self, recordings: Path) -> None:
        """Prepare; nothing is touched.

        Args:
            recordings: the recorder's folder, which is not made.
        """
        self.path = recordings / FILE

    def read(self) -> list[Review]:
        """Return all reviews, oldest first; what is none is left out."""
        try:
            with self.path.open("rb") as file:
                data = file.read(_BYTES_MAX)
        except OSError:  # nobody has reviewed anything
            return []
        return [one for line in data.splitlines() if (one := review_of_line(line)) is not None]

    def append(self, review: Review) -> None:
        """Add a review; it is on the medium when this returns.

        Raises:
            OSError: it cannot be written.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = (b"\n" if is_cut else b"") + review.to_line().encode() + b"\n"
            if os.write(descriptor, line) != len(line):
                raise OSError(f"{self.path}: only a part was written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
