"""When readings were received, in ROS time. Pure; time is an argument."""

from __future__ import annotations

#: Stamps that would fall by less are held: that is how uneven two clocks are read one after the
#: other. What falls further is a clock that was set back, which is followed.
_HELD_NS = 500_000_000


class ReadingStamps:
    """Tells the stamp of each reading, the same each time it is asked, and never falling."""

    def __init__(self) -> None:
        """Begin without a reading."""
        self._reading: object = None
        self._stamp_ns = 0

    def stamp_of(self, reading: object, age_s: float, now_ns: int) -> int:
        """Return when a reading was received [ns]; 0 for None, which is never fresh.

        Args:
            reading: the newest.
            age_s: since it was received, by a steady clock.
            now_ns: ROS time at that age.
        """
        if reading is None:
            return 0
        if reading is not self._reading:
            stamp_ns = max(0, now_ns - round(age_s * 1e9))
            if not 0 < self._stamp_ns - stamp_ns < _HELD_NS:
                self._stamp_ns = stamp_ns
            self._reading = reading
        return self._stamp_ns
