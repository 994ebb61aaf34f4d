"""Whatever comes between in a scan: losses in every state, a cancel, an operator, a pause.

`ExactScan` (simulation_pkg.harness) plays gimbal, detector, classifier and model.
"""

import pytest
from scan_things import (
    PATH,
    PERSON,
    SCARECROW,
    TENT,
    VAGUE,
    exact_scan,
    run_to_end,
    states_of,
    without_model,
)

from ros_support_pkg.core.words import FindingState, Level
from semantic_detection_pkg.scan.core.inputs import Cancel, GpuStatus, Pause, PointHere

# -------------------------------------------------------------------------- losses and states

STATES = {
    "prepare": lambda d: d.vocabulary is not None,
    "sweep": lambda d: d.status.leaf == "sweep area",
    "approach": lambda d: d.status.leaf == "approach view",
    "judge": lambda d: d.status.tier in (1, 2),
    "ask": lambda d: d.status.tier == 3,
    "operator": lambda d: d.status.leaf == "point for operator",
    "paused": lambda d: d.status.leaf == "stay paused",
}
LOSSES = {
    "gimbal silent": ("is_gimbal_silent", True, "gimbal: nothing heard for"),
    "gimbal stale": ("link", "stale", "gimbal: link stale"),
    "gimbal down": ("link", "down", "gimbal: link down"),
    "detector silent": ("is_detector_silent", True, "detector: no detections"),
    "camera silent": ("is_camera_silent", True, "camera: no frame"),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("state", STATES)
def test_every_loss_in_every_state_is_safe_says_why_and_is_survived(state, loss):
    switch, value, reason = LOSSES[loss]
    made = exact_scan(PERSON, VAGUE, SCARECROW)
    made.start()
    if state in ("operator", "paused"):
        made.run(1.0)
        made.inbox.append(PointHere(0.2, 0.2) if state == "operator" else Pause(True))
    made.run(60.0, until=STATES[state])
    before = getattr(made, switch)
    setattr(made, switch, value)
    is_excused = state == "ask" and loss in ("detector silent", "camera silent")
    if is_excused:
        made.run(1.0)  # the model may have the GPU: nothing is missed
        assert made.decisions[-1].status.tier == 3
    else:
        made.run(4.0, until=lambda d: d.status.level is Level.SAFE)
        made.run(1.0)
        for decision in made.decisions[-20:]:
            assert decision.status.level is Level.SAFE
            assert decision.status.reason.startswith(reason)
            assert (decision.rate, decision.angle, decision.zoom) == (None, None, None)
    setattr(made, switch, before)
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert states_of(made)["scarecrow"] is FindingState.REJECTED
    assert made.result.findings == 2


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_on_the_way_along_a_path_is_survived(loss):
    switch, value, reason = LOSSES[loss]
    made = exact_scan(PATH)
    made.start(words=("footpath",))
    made.run(60.0, until=lambda d: d.status.leaf == "follow path")
    before = getattr(made, switch)
    setattr(made, switch, value)
    made.run(4.0, until=lambda d: d.status.level is Level.SAFE)
    assert made.decisions[-1].status.reason.startswith(reason)
    setattr(made, switch, before)
    run_to_end(made)
    (finding,) = made.findings.values()
    assert finding.path.is_followed


@pytest.mark.parametrize("switch", ["is_classifier_silent", "is_model_silent"])
def test_a_silent_classifier_or_model_costs_a_verdict_and_not_the_scan(switch):
    made = exact_scan(PERSON, VAGUE, settings=without_model(), **{switch: True})
    made.start()
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert FindingState.REJECTED not in states_of(made).values()


def test_while_the_gpu_is_lent_missing_detections_are_no_loss():
    made = exact_scan()
    made.start()
    made.run(0.5)
    made.is_detector_silent = True
    for _ in range(30):
        made.inbox.append(GpuStatus(is_lent=True, is_degraded=False))
        assert made.step().status.level is Level.SWEEP
    made.inbox.append(GpuStatus(is_lent=False, is_degraded=False))
    made.run(2.0, until=lambda d: d.status.level is Level.SAFE)


def test_an_arbiter_that_died_excuses_nobody_for_ever():
    made = exact_scan()
    made.start()
    made.inbox.append(GpuStatus(is_lent=True, is_degraded=False))
    made.run(0.5)
    made.is_detector_silent = True
    made.run(8.0, until=lambda d: d.status.level is Level.SAFE)


def test_a_detector_that_came_back_with_other_words_is_told_again():
    made = exact_scan(PERSON)
    made.start()
    made.run(1.0)
    made.vocabulary = ("boat",)
    run_to_end(made)
    assert sum(d.vocabulary is not None for d in made.decisions) >= 2
    assert made.result.findings == 1


# ------------------------------------------------------------------------ people and endings


@pytest.mark.parametrize("state", [*STATES, "SAFE"])
def test_cancel_at_any_moment_ends_the_goal_and_goes_to_rest(state):
    made = exact_scan(PERSON, VAGUE)
    made.start()
    if state in ("operator", "paused"):
        made.run(1.0)
        made.inbox.append(PointHere(0.2, 0.2) if state == "operator" else Pause(True))
    if state == "SAFE":
        made.run(1.0)
        made.link = "down"
        made.run(2.0, until=lambda d: d.status.level is Level.SAFE)
    else:
        made.run(60.0, until=STATES[state])
    made.inbox.append(Cancel("g"))
    decision = made.step()
    assert (decision.result.outcome, decision.result.message) == ("cancelled", "cancelled")
    asked = {ask.request_id for d in made.decisions for ask in d.ask}
    assert set(decision.cancel_asks) == (asked if state == "ask" else set())
    made.link = "up"
    made.run(8.0, until=lambda d: d.status.reason == "no goal")
    assert (made.yaw, made.pitch, made.zoom) == pytest.approx((0, 0, 1), abs=0.05)


def test_a_cancel_of_another_goal_changes_nothing():
    made = exact_scan()
    made.start()
    made.run(0.5)
    made.inbox.append(Cancel("other"))
    made.run(0.5)
    assert made.result is None


def test_an_operator_looks_somewhere_and_the_scan_goes_on():
    made = exact_scan(PERSON, TENT)
    made.start()
    made.run(1.0)
    made.inbox.append(PointHere(-2.0, 5.0))  # beyond the limit of pitch: as far as it goes
    made.run(5.0)
    assert (made.yaw, made.pitch) == pytest.approx((-2.0, 1.5), abs=0.02)
    assert made.decisions[-1].status.leaf == "point for operator"
    run_to_end(made)
    assert made.result.findings == 2


def test_an_operator_may_look_without_a_scan():
    made = exact_scan()
    made.inbox.append(PointHere(0.5, 0.1))
    made.run(3.0)
    assert (made.yaw, made.pitch) == pytest.approx((0.5, 0.1), abs=0.02)
    made.run(10.0, until=lambda d: d.status.reason == "no goal")


def test_a_pause_stands_still_until_it_is_over():
    made = exact_scan(PERSON)
    made.start()
    made.run(1.0)
    made.inbox.append(Pause(True))
    for _ in range(40):
        decision = made.step()
        assert (decision.rate, decision.angle) == (None, None)
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert made.result.findings == 1
