"""Work takes no more than its share of time, however long one piece of it takes."""

import pytest

from ros_support_pkg.core.share_of_time import ShareOfTime


@pytest.mark.parametrize("took_s", [0.001, 0.2, 3.0])
def test_it_takes_no_more_than_its_share(took_s: float) -> None:
    share, now_s, busy_s = ShareOfTime(0.05), 100.0, 0.0
    while now_s < 1100.0:  # asked once a second
        if share.is_due(now_s):
            now_s, busy_s = now_s + took_s, busy_s + took_s
            share.done(took_s, now_s)
        now_s += 1.0
    assert busy_s <= 0.05 * 1000.0 + took_s
    if took_s < 0.04:
        assert busy_s == pytest.approx(1000 * took_s, rel=0.01), "what is light is done each time"
    else:
        assert busy_s > 0.03 * 1000.0
