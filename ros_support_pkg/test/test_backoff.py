"""Waits between tries."""

from __future__ import annotations

import pytest

from ros_support_pkg.core.backoff import Backoff


def test_waits_double_up_to_the_longest_and_begin_again() -> None:
    backoff = Backoff(0.1, 1.0)
    assert [backoff.failed() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.succeeded()
    assert backoff.failed() == 0.1


@pytest.mark.parametrize(("first_s", "longest_s"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_waits_that_make_no_sense_are_refused(first_s: float, longest_s: float) -> None:
    with pytest.raises(ValueError, match="the first must be above 0 and at most the longest"):
        Backoff(first_s, longest_s)
