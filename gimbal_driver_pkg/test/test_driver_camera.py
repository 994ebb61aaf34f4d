"""Zoom, photos, recording, focus, mode: commands whose outcome somebody waits for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gimbal_driver_pkg.errors import UnsupportedError
from gimbal_driver_pkg.mock.faults import InjectedFaults
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

DriverHarness = Any
MakeRig = Callable[..., DriverHarness]


@pytest.mark.parametrize("model", ["zr10", "a8mini", "zr30", "a40"])
def test_zoom_to(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run(1.0)
    ticket, goal = harness.do(lambda d, now: d.zoom_to(3.0, now))
    assert goal == 3.0
    harness.run(3.0)
    assert ticket.outcome.is_ok
    assert harness.state.zoom == pytest.approx(3.0, abs=0.11)
    wide = harness.state.hfov_rad
    _, goal = harness.do(lambda d, now: d.zoom_to(500.0, now))
    assert goal == MODELS[model].zoom_max
    harness.run(6.0)
    if not math.isnan(wide):
        assert harness.state.hfov_rad < wide / 1.5


def test_zoom_rate_runs_for_its_time_and_stops_once(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.frames.clear()
    harness.do(lambda d, now: d.zoom_at(1.0, 1.6, now))
    harness.run(4.0)
    zooms = [
        SIYI.read(frame, Direction.TO_GIMBAL).fields["zoom"]
        for _, frame in harness.frames
        if frame[7] == 0x05
    ]
    assert zooms == [1, 1, 1, 1, 0]
    assert harness.body.zoom == pytest.approx(1 + 1.6 * 29 / 4, abs=0.5)


@pytest.mark.parametrize("has_card", [True, False])
def test_photo_is_done_when_the_gimbal_says_so(make_rig: MakeRig, has_card: bool) -> None:
    harness = make_rig()
    harness.conversation.gimbal.camera.has_card = has_card
    harness.run(1.0)
    ticket = harness.do(lambda d, now: d.take_photo(now))
    harness.run(0.1)
    assert ticket.outcome.is_ok is has_card
    assert harness.conversation.gimbal.camera.photos == int(has_card)


def test_photo_without_an_answer_fails_and_is_not_taken_twice(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.faults = InjectedFaults(drop=1.0)
    ticket = harness.do(lambda d, now: d.take_photo(now))
    harness.faults = InjectedFaults()
    harness.run(2.5)
    assert ticket.outcome.message == "photo: no answer from the gimbal"
    assert harness.sent().count("photo_video") == 1


def test_recording_is_toggled_only_if_it_has_to_be(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    camera = harness.conversation.gimbal.camera
    for is_on in (True, True, False, False, True):
        ticket = harness.do(lambda d, now, is_on=is_on: d.record(is_on, now))
        harness.run(0.2)
        assert ticket.outcome.is_ok
        assert camera.is_recording is is_on
    assert harness.sent().count("photo_video") == 3


def test_recording_without_a_card_fails(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.conversation.gimbal.camera.has_card = False
    harness.run(1.0)
    ticket = harness.do(lambda d, now: d.record(True, now))
    harness.run(0.2)
    assert ticket.outcome.message == "recording on: refused by the gimbal"


def test_missing_acknowledgement_is_asked_for_again_then_given_up(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.conversation._handlers["absolute_zoom"] = lambda _f, _n: []
    harness.frames.clear()
    ticket, _ = harness.do(lambda d, now: d.zoom_to(2.0, now))
    harness.run(1.0)
    assert harness.sent().count("absolute_zoom") == 3
    assert ticket.outcome.message == "zoom to 2.0: no answer from the gimbal"
    assert harness.is_up()


def test_focus_and_mode(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    focus = harness.do(lambda d, now: d.focus(m.SetFocus(m.Focus.AUTO), now))
    mode = harness.do(lambda d, now: d.set_mode(m.Mode.LOCK, now))
    harness.run(0.5)
    assert focus.outcome.is_ok
    assert mode.outcome.is_ok
    assert harness.state.mode is m.Mode.LOCK


def test_command_that_the_protocol_lacks_is_refused(make_rig: MakeRig) -> None:
    harness = make_rig("a40")
    with pytest.raises(UnsupportedError):
        harness.do(lambda d, now: d.set_mode(m.Mode.FPV, now))
