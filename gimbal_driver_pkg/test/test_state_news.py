"""Which states of the gimbal are told: new ones at once, others now and then."""

import math
from dataclasses import replace

import pytest

from gimbal_driver_pkg.core.limits import AxisLimits, SoftLimits
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.core.state_news import StateNews
from gimbal_driver_pkg.protocol.messages import Attitude
from ros_support_pkg.core.words import LinkState

STATE = GimbalState(
    link=LinkState.UP,
    attitude=Attitude(7.0, 0.1, 0.2, 0.0),
    age_s=0.0,
    zoom=math.nan,
    hfov_rad=math.nan,
    mode=None,
    is_recording=False,
    yaw_saturated=False,
    pitch_saturated=False,
    limits=SoftLimits(AxisLimits(-1.0, 1.0), AxisLimits(-1.0, 1.0), 1.0, 1.0),
    model="",
    firmware="",
    is_streaming=True,
    problems=(),
)


def ticks(rate_hz: float, seconds: float) -> list[float]:
    return [index / rate_hz for index in range(round(rate_hz * seconds))]


@pytest.mark.parametrize("readings_hz", [20.0, 50.0])
def test_each_reading_is_told_once_and_at_once(readings_hz: float) -> None:
    """Also where the gimbal stands: the reading is newer, its angles are the same."""
    news, told = StateNews(), []
    readings = [Attitude(stamp_s, 0.1, 0.2, 0.0) for stamp_s in ticks(readings_hz, 2.0)]
    for now_s in ticks(50.0, 2.0):
        newest = [one for one in readings if one.stamp_s <= now_s][-1]
        # Floats are made anew each time, as the driver makes them.
        state = replace(
            STATE, attitude=newest, age_s=now_s - newest.stamp_s, zoom=float("nan"),
            hfov_rad=float("nan"),
        )  # fmt: skip
        if news.is_due(state, now_s):
            told.append(newest)
    assert told == readings


@pytest.mark.parametrize("rate_hz", [20.0, 30.0, 50.0, 100.0])
def test_without_news_the_age_is_told_ten_times_a_second(rate_hz: float) -> None:
    news = StateNews()
    told_s = [
        now_s for now_s in ticks(rate_hz, 5.0) if news.is_due(replace(STATE, age_s=now_s), now_s)
    ]
    assert 10.0 <= (len(told_s) - 1) / (told_s[-1] - told_s[0]) <= 15.0


@pytest.mark.parametrize(
    "change",
    [
        {"link": LinkState.STALE},
        {"zoom": 2.0},
        {"is_recording": True},
        {"yaw_saturated": True},
        {"model": "a8mini"},
        {"problems": ("it is hot",)},
        {"attitude": None, "age_s": math.inf},
    ],
)
def test_what_changes_is_told_at_once(change: dict[str, object]) -> None:
    news = StateNews()
    assert news.is_due(STATE, 1.0)
    assert not news.is_due(replace(STATE, age_s=0.02), 1.02)
    assert news.is_due(replace(STATE, **change), 1.04)  # type: ignore[arg-type]
    assert not news.is_due(replace(STATE, **change), 1.06)  # type: ignore[arg-type]
