"""The driver's parts on their own, where the whole does not show them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gimbal_driver_pkg.core.attitude_source import AttitudeSource
from gimbal_driver_pkg.core.limits import AxisLimits, SoftLimits
from gimbal_driver_pkg.core.link_state import TRANSITIONS, LinkEvent, follow
from gimbal_driver_pkg.core.motion import Aim
from gimbal_driver_pkg.core.pointing import Pointing
from gimbal_driver_pkg.core.requests import PendingCommands
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.core.sign_check import SignCheck
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.core.zooming import Zooming
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.siyi.codec import TRAITS
from ros_support_pkg.core.words import LinkState


def reading(stamp_s: float, yaw: float = 0.0, pitch: float = 0.0) -> m.Attitude:
    return m.Attitude(stamp_s, yaw, pitch, 0.0)


# --- angles -------------------------------------------------------------------------------------


@given(
    yaw=st.floats(-4.0, 4.0),
    pitch=st.floats(-1.5, 1.5),
    dyaw=st.floats(-1.0, 1.0),
    dpitch=st.floats(-0.5, 0.5),
)
def test_error_is_the_angle_between_the_lines_of_sight(
    yaw: float, pitch: float, dyaw: float, dpitch: float
) -> None:
    def sight(y: float, p: float) -> tuple[float, float, float]:
        return math.cos(p) * math.cos(y), math.cos(p) * math.sin(y), -math.sin(p)

    a, b = sight(yaw, pitch), sight(yaw + dyaw, pitch + dpitch)
    cross = math.dist(
        (0, 0, 0),
        (
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ),
    )
    expected = math.atan2(cross, sum(x * y for x, y in zip(a, b, strict=True)))
    assert Aim(yaw, pitch).error_rad(yaw + dyaw, pitch + dpitch) == pytest.approx(
        expected, abs=1e-3
    )


@given(angle=st.floats(-10.0, 10.0), rate=st.floats(-3.0, 3.0))
def test_guarded_rate_never_leads_beyond_the_soft_limit(angle: float, rate: float) -> None:
    axis = AxisLimits(-1.0, 2.0, margin_rad=0.1)
    guarded = axis.guard(rate, angle)
    assert abs(guarded) <= abs(rate)
    assert guarded * rate >= 0
    if guarded:
        assert angle + guarded * 0.25 >= -0.9 or guarded > 0
        assert angle + guarded * 0.25 <= 1.9 + 1e-9 or guarded < 0


def test_margin_wider_than_the_range_leaves_its_middle() -> None:
    axis = AxisLimits(-0.1, 0.3, margin_rad=1.0)
    assert axis.clamp(5.0) == axis.clamp(-5.0) == pytest.approx(0.1)


# --- link states --------------------------------------------------------------------------------


def test_every_state_can_be_lost_and_reached() -> None:
    for state in LinkState:
        if state is not LinkState.DOWN:
            assert follow(state, LinkEvent.LOST) is LinkState.DOWN
    assert {LinkState.DOWN, *TRANSITIONS.values()} == set(LinkState)


def test_event_without_a_row_changes_nothing() -> None:
    assert follow(LinkState.DOWN, LinkEvent.HEARD) is LinkState.DOWN
    assert follow(LinkState.HANDSHAKE, LinkEvent.AGED) is LinkState.HANDSHAKE


# --- who is asked when --------------------------------------------------------------------------


def test_poll_without_an_answer_goes_on_at_its_rate() -> None:
    source = AttitudeSource(TRAITS, DriverSettings(attitude_hz=10.0, use_stream=False))
    source.restart(0.0)
    asked = [t / 1000 for t in range(1000) if source.commands(t / 1000)]
    assert len(asked) == pytest.approx(10, abs=1)


def test_newer_command_of_a_kind_replaces_the_older() -> None:
    requests = PendingCommands()
    first = requests.submit("zoom to 2.0", m.SetZoom(2.0), lambda _: None, 0.0)
    requests.submit("zoom to 3.0", m.SetZoom(3.0), lambda _: None, 0.0)
    assert first.outcome is not None
    assert first.outcome.message == "zoom to 2.0: replaced by a newer command"
    assert requests.commands(0.0) == [m.SetZoom(3.0)]


def test_listener_hears_the_outcome_once_whenever_it_asks() -> None:
    requests, heard = PendingCommands(), []
    ticket = requests.submit("focus", m.SetFocus(m.Focus.AUTO), lambda _: True, 0.0)
    ticket.when_done(heard.append)
    requests.settle_by(m.Zoom(0.0, 1.0))
    ticket.when_done(heard.append)
    assert [outcome.message for outcome in heard] == ["focus: done"] * 2


def test_zoom_command_in_between_ends_the_running_zoom() -> None:
    zooming = Zooming()
    zooming.run(1.0, 5.0, 0.0)
    assert zooming.commands(0.0) == [m.ZoomAtRate(1.0)]
    zooming.cancel()
    assert zooming.due_s() == math.inf


def test_sign_check_forgives_a_gimbal_that_stands_or_turns_right() -> None:
    check = SignCheck()
    for i in range(100):
        check.add_reading(m.SetRate(0.2, 0.2), reading(i * 0.05, yaw=0.2 * i * 0.05, pitch=0.0))
    assert check.faults == ()


# --- the goal of the point action ---------------------------------------------------------------


def known(
    now_s: float, yaw: float, zoom: float = 1.0, link: LinkState = LinkState.UP
) -> GimbalState:
    limits = SoftLimits.of(MODELS["zr10"], DriverSettings())
    at = reading(now_s, yaw)
    nothing: tuple[str, ...] = ()
    return GimbalState(
        link, at, 0.0, zoom, math.nan, None, False, False, False, limits, "", "", False, nothing
    )


AIM = Aim(0.5, 0.0)


def begun(zoom: float = 0.0, aim: Aim = AIM) -> Pointing:
    return Pointing(aim, zoom, tolerance_rad=0.01, timeout_s=5.0, now_s=0.0)


def test_goal_is_reached_when_it_holds_within_the_tolerance() -> None:
    goal = begun()
    assert not goal.progress(known(1.0, 0.4), goal.aim, 1.0).is_done
    assert not goal.progress(known(1.1, 0.5), goal.aim, 1.1).is_done
    assert not goal.progress(known(1.15, 0.52), goal.aim, 1.15).is_done  # passing through
    assert not goal.progress(known(1.2, 0.5), goal.aim, 1.2).is_done
    progress = goal.progress(known(1.31, 0.505), goal.aim, 1.31)
    assert (progress.is_done, progress.is_reached, progress.message) == (True, True, "")
    assert progress.error_rad == pytest.approx(0.005)


def test_goal_waits_for_the_zoom() -> None:
    goal = begun(zoom=4.0)
    for now_s in (1.0, 1.2):
        assert not goal.progress(known(now_s, 0.5, zoom=2.0), goal.aim, now_s).is_done
    for now_s in (1.4, 1.6):
        progress = goal.progress(known(now_s, 0.5, zoom=4.0), goal.aim, now_s)
    assert progress.is_reached


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (LinkState.UP, "not there in time: too slow"),
        (LinkState.DOWN, "not there in time: no line to the gimbal"),
    ],
)
def test_goal_ends_in_time(link: LinkState, message: str) -> None:
    goal = begun()
    progress = goal.progress(known(5.0, 0.1, link=link), goal.aim, 5.0)
    assert (progress.is_done, progress.is_reached, progress.message) == (True, False, message)


def test_goal_ends_with_the_next_command() -> None:
    goal = begun()
    for other in (None, Aim(0.5, 0.0)):
        progress = goal.progress(known(1.0, 0.5), other, 1.0)
        assert (progress.is_done, progress.message) == (True, "replaced by another command")


def test_goal_says_which_limit_cut_it() -> None:
    goal = begun(aim=Aim(0.5, 0.0, yaw_saturated=True, pitch_saturated=True))
    for now_s in (1.0, 1.2):
        progress = goal.progress(known(now_s, 0.5), goal.aim, now_s)
    assert progress.message == "yaw and pitch cut to the soft limits"


def test_reading_from_before_the_command_says_nothing() -> None:
    goal = begun()
    progress = goal.progress(known(-1.0, 0.5), goal.aim, 0.5)
    assert math.isnan(progress.error_rad)


@pytest.mark.parametrize(("tolerance", "timeout"), [(-1.0, 1.0), (math.nan, 1.0), (0.1, -1.0)])
def test_goal_with_nonsense_is_refused(tolerance: float, timeout: float) -> None:
    with pytest.raises(InvalidValueError, match="allowed is"):
        Pointing(Aim(0.0, 0.0), 0.0, tolerance, timeout, 0.0)
