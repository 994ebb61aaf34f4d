"""How long to wait before the next try."""

from __future__ import annotations


class Backoff:
    """Waits that double from the first to the longest, until something succeeds."""

    def __init__(self, first_s: float = 0.1, longest_s: float = 5.0) -> None:
        """Take both waits in seconds, 0 < first_s <= longest_s.

        Raises:
            ValueError: they are out of that range.
        """
        if not 0.0 < first_s <= longest_s:
            raise ValueError(
                f"waits of {first_s:g} s to {longest_s:g} s: the first must be above 0 and "
                "at most the longest"
            )
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def failed(self) -> float:
        """Return how many seconds to wait after this failure."""
        wait_s = self._next_s
        self._next_s = min(2.0 * wait_s, self._longest_s)
        return wait_s

    def succeeded(self) -> None:
        """Begin again with the first wait."""
        self._next_s = self._first_s
