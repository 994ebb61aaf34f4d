"""The whole controller in a world without pixels: what it finds, what it survives, that it repeats.

`ExactScan` (simulation_pkg.harness) plays gimbal, detector, classifier and model.
"""

import dataclasses
import json
import math
import pickle

import pytest

from ros_support_pkg.core.words import FindingState, Level, Verdict
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    Cancel,
    FrameDetections,
    GpuStatus,
    Pause,
    PointHere,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.settings import InputTimeouts, ScanSettings, TierSettings
from simulation_pkg.harness.exact_scan import STEP_NS, ExactScan, Thing

PERSON = Thing(0.3, 0.3, "person", 0.02)
TENT = Thing(-0.4, 0.2, "tent", 0.03)
SCARECROW = Thing(-0.1, 0.4, "person", 0.02, truth="scarecrow")
VAGUE = Thing(0.5, 0.15, "person", 0.02, sureness=0.5)
SMALL = ScanSettings()


def exact_scan(*things: Thing, **switches) -> ExactScan:
    """Return a scan with short timeouts, so that tests need few steps."""
    settings = switches.pop("settings", SMALL)
    settings = dataclasses.replace(
        settings,
        input_timeouts=InputTimeouts(
            gimbal_timeout_s=0.3, detections_timeout_s=0.5, camera_timeout_s=0.4
        ),
    )
    return ExactScan(list(things), settings=settings, **switches)


def states_of(made: ExactScan) -> dict[str, FindingState]:
    """Return the state of each finding by class and truth."""
    by_place = {}
    for finding in made.findings.values():
        thing = min(made.things, key=lambda t: abs(t.yaw_rad - finding.yaw_rad))
        by_place[thing.truth or thing.class_name] = finding.state
    return by_place


def run_to_end(made: ExactScan, seconds: float = 60.0) -> ExactScan:
    made.run(seconds, until=lambda decision: decision.result is not None)
    return made


# ------------------------------------------------------------------------------ what it does


def test_it_finds_what_is_there_rejects_decoys_and_goes_to_rest():
    made = exact_scan(PERSON, TENT, SCARECROW)
    made.start()
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert (made.result.message, made.result.coverage) == ("the area is covered", 1.0)
    assert made.result.findings == 2
    assert states_of(made) == {
        "person": FindingState.CONFIRMED,
        "tent": FindingState.CONFIRMED,
        "scarecrow": FindingState.REJECTED,
    }
    last = made.run(6.0, until=lambda decision: decision.status.reason == "no goal")
    assert (made.yaw, made.pitch, made.zoom) == pytest.approx((0, 0, 1), abs=0.05)
    assert last.rate is None


def test_an_empty_area_is_swept_and_nothing_else():
    made = exact_scan()
    made.start()
    run_to_end(made)
    assert made.result.findings == 0
    assert {d.status.level for d in made.decisions} <= {Level.SAFE, Level.SWEEP, Level.IDLE}


def test_what_is_found_stands_where_the_thing_is_with_its_evidence():
    made = exact_scan(PERSON)
    made.start()
    run_to_end(made)
    (finding,) = made.findings.values()
    assert (finding.yaw_rad, finding.pitch_rad) == pytest.approx((0.3, 0.3), abs=2e-3)
    assert finding.finding_id == f"{made.journal[0][0]}-1"
    assert [tier.tier for tier in finding.tiers] == [1, 2]
    assert all(tier.verdict is Verdict.YES for tier in finding.tiers)
    assert finding.best_frame_ns in {
        item.stamp_ns for _, items in made.journal for item in items if hasattr(item, "detections")
    }
    x0, y0, x1, y1 = finding.best_box_xyxy
    assert max(x1 - x0, y1 - y0) >= SMALL.close.min_target_px


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Verdict.YES, FindingState.CONFIRMED),
        (Verdict.NO, FindingState.REJECTED),
        (Verdict.UNSURE, FindingState.UNCERTAIN),
    ],
)
def test_the_model_decides_what_the_classifier_is_not_sure_of(answer, state):
    made = exact_scan(VAGUE, answer=answer)
    made.start()
    run_to_end(made)
    (finding,) = made.findings.values()
    assert finding.state is state
    assert [tier.tier for tier in finding.tiers] == [1, 2, 3]
    assert [reply.verdict for reply in finding.answers] == [answer]


def without_model(**changes) -> ScanSettings:
    return ScanSettings(tiers=TierSettings(vlm_timeout_s=1.0, **changes))


@pytest.mark.parametrize("without_vlm", ["uncertain", "lower"])
@pytest.mark.parametrize("loss", ["silent", "degraded", "never", "no picture"])
def test_a_missing_answer_is_never_a_no(loss, without_vlm):
    changes = {"vlm_policy": "never"} if loss == "never" else {}
    made = exact_scan(
        dataclasses.replace(VAGUE, sureness=0.6),
        settings=without_model(vlm_unavailable_policy=without_vlm, **changes),
        is_model_silent=True,
        is_classifier_silent=loss == "no picture",
    )
    if loss == "degraded":
        made.inbox.append(GpuStatus(is_lent=False, is_degraded=True, reason="no arbiter"))
    made.start()
    run_to_end(made)
    (finding,) = made.findings.values()
    lower = FindingState.CONFIRMED if without_vlm == "lower" else FindingState.UNCERTAIN
    assert finding.state is lower
    if loss == "silent":
        asked = [ask.request_id for d in made.decisions for ask in d.ask]
        assert [one for d in made.decisions for one in d.cancel_asks] == asked
        assert "no answer within 1 s" in finding.tiers[-1].reason
    if loss == "degraded":
        assert "no arbiter" in finding.tiers[-1].reason


def test_without_a_classifier_the_model_is_asked():
    made = exact_scan(PERSON, is_classifier_absent=True)
    made.start()
    run_to_end(made)
    (finding,) = made.findings.values()
    assert finding.tiers[1].verdict is Verdict.NOT_RUN
    assert finding.tiers[1].reason.startswith("there is no classifier")
    assert finding.state is FindingState.CONFIRMED


def test_a_yes_may_have_to_be_confirmed_by_the_model():
    made = exact_scan(
        PERSON, settings=ScanSettings(tiers=TierSettings(vlm_policy="always")), answer=Verdict.NO
    )
    made.start()
    run_to_end(made)
    assert [f.state for f in made.findings.values()] == [FindingState.REJECTED]


def test_a_thing_that_is_gone_is_rejected_without_a_finding():
    made = exact_scan(PERSON)
    made.start()
    made.run(30.0, until=lambda d: d.status.level is Level.CLOSE)
    made.things.clear()
    run_to_end(made)
    assert made.findings == {}
    assert made.result.outcome == "succeeded"


def test_a_thing_that_moved_is_found_again():
    made = exact_scan(PERSON)
    made.start()
    made.run(30.0, until=lambda d: d.status.level is Level.CLOSE)
    made.things[0] = dataclasses.replace(PERSON, yaw_rad=PERSON.yaw_rad + 0.05)
    run_to_end(made)
    assert [f.state for f in made.findings.values()] == [FindingState.CONFIRMED]


def test_repeating_revises_findings_after_the_cooldown_and_goes_on():
    settings = dataclasses.replace(
        SMALL, candidates=dataclasses.replace(SMALL.candidates, cooldown_s=5.0)
    )
    made = exact_scan(PERSON, settings=settings)
    made.start(is_repeating=True)
    made.run(40.0, until=lambda d: any(f.revision == 3 for f in d.findings))
    assert len(made.findings) == 1
    assert made.result is None


def test_words_may_have_names_of_their_own():
    made = exact_scan(dataclasses.replace(TENT, class_name="shelter", truth="tent"))
    made.start(words=("shelter=tent",))
    run_to_end(made)
    (finding,) = made.findings.values()
    assert (finding.class_name, finding.state) == ("shelter", FindingState.CONFIRMED)


def test_bearings_are_visited():
    made = exact_scan(PERSON, TENT)
    made.start(area=Area(bearings=((0.3, 0.3), (-0.4, 0.2))))
    run_to_end(made)
    assert made.result.findings == 2


COURSE = tuple((-0.5 + 0.1 * i, 0.3 + 0.05 * math.sin(i)) for i in range(11))
PATH = Thing(0.0, 0.3, "footpath", 0.012, course=COURSE)


def test_a_path_that_is_found_is_followed_to_its_ends():
    made = exact_scan(PATH, PERSON)
    made.start(words=("footpath", "person"))
    run_to_end(made)
    path = next(f for f in made.findings.values() if f.class_name == "footpath")
    told = [f for d in made.decisions for f in d.findings]
    first = next(f for f in told if f.finding_id == path.finding_id)
    assert (first.revision, first.path.is_followed, path.revision) == (1, False, 2)
    assert "deg long, 2 ends" in first.tiers[1].reason
    assert path.path.is_followed
    ends = sorted(path.path.ends)
    assert ends[0] == pytest.approx(COURSE[0], abs=0.02)
    assert ends[-1] == pytest.approx(COURSE[-1], abs=0.02)
    assert path.path.width_rad == pytest.approx(0.012, rel=0.2)
    # The other candidates come first.
    assert [f.class_name for f in told].index("person") < len(told) - 1
    assert told[-1] is path


def test_following_a_path_has_a_budget():
    made = exact_scan(PATH, settings=ScanSettings(tiers=TierSettings(path_timeout_s=0.4)))
    made.start(words=("footpath",))
    run_to_end(made)
    (finding,) = made.findings.values()
    assert not finding.path.is_followed


# --------------------------------------------------------------------------------- bad goals


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"words": ()}, "words: none is given"),
        ({"words": ("person", " ")}, "words: ' ' has no name"),
        ({"zoom": 0.5}, "zoom 0.5: allowed is 1 or more, or 0 for the default"),
        ({"zoom": float("nan")}, "zoom nan: allowed is 1 or more"),
        ({"zoom": 7.0}, "zoom 7: allowed is 1..6, the range of this gimbal"),
        ({"area": Area(0.5, -0.5, 0.0, 0.5)}, "area: yaw 28.65..-28.65 deg"),
        ({"area": Area(2.5, 3.0, 0.0, 0.5)}, "outside the gimbal's limits"),
        ({"words": ("unicorn",)}, "'unicorn' is unknown"),
    ],
)
def test_a_goal_that_cannot_be_carried_out_is_aborted_with_the_reason(changes, reason):
    made = exact_scan()
    made.start(**changes)
    run_to_end(made, 3.0)
    assert made.result.outcome == "aborted"
    assert reason in made.result.message
    assert "\n" not in made.result.message


def test_what_is_cut_from_the_area_is_said():
    made = exact_scan(limits=(-0.3, 2.3, -0.5, 1.5))
    made.start()
    run_to_end(made)
    notices = [notice for d in made.decisions for notice in d.notices]
    assert notices == [
        "area cut to the gimbal's limits: yaw -40.11..40.11 deg to -17.19..40.11 deg"
    ]
    assert notices[0] in made.result.message


def test_a_newer_goal_takes_over():
    made = exact_scan(PERSON)
    made.start()
    made.run(1.0)
    made.start(goal_id="newer")
    made.run(0.2)
    assert made.result.message == "another goal was given"
    made.run(60.0, until=lambda d: d.result is not None and d.result.goal_id == "newer")


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


# -------------------------------------------------------------------------------- determinism


def recorded() -> ExactScan:
    """Return a scan in which everything happens."""
    made = exact_scan(PERSON, TENT, SCARECROW, VAGUE)
    made.start()
    made.run(2.0)
    made.inbox.append(PointHere(0.4, 0.2))
    made.run(12.0)
    made.link = "stale"
    made.run(1.0)
    made.link = "up"
    return run_to_end(made)


def again(made: ExactScan, through) -> list[str]:
    """Return the decisions of a fresh controller on the same steps, inputs mapped by a function."""
    controller = ScanController(made.settings)
    return [
        controller.step(now_ns, [through(item) for item in items]).to_json()
        for now_ns, items in made.journal
    ]


def journalled(item):
    """Return an input as a journal brings it back; detections come from the recording."""
    if isinstance(item, FrameDetections):
        return item
    return input_from_plain(json.loads(json.dumps(input_to_plain(item))))


def test_the_same_inputs_give_the_same_decisions_whatever_way_they_came():
    made = recorded()
    decisions = [decision.to_json() for decision in made.decisions]
    assert again(made, lambda item: item) == decisions
    assert again(made, lambda item: pickle.loads(pickle.dumps(item))) == decisions
    assert again(made, journalled) == decisions
    assert sum("CONFIRMED" in str(f.state) for f in made.findings.values()) == 3


def test_the_order_of_inputs_within_a_step_counts_only_within_their_kind():
    made = exact_scan(PERSON)
    made.start()
    run_to_end(made)
    controller = ScanController(made.settings)
    for (now_ns, items), decision in zip(made.journal, made.decisions, strict=True):
        assert controller.step(now_ns, items[::-1]).to_json() == decision.to_json()


def test_time_never_goes_back():
    made = exact_scan()
    made.start()
    made.run(1.0)
    decision = made.controller.step(made.now_ns - 10 * STEP_NS, [])
    assert decision.status.level is Level.SWEEP


def test_memory_stays_bounded_over_many_rounds():
    """What a mission keeps after many rounds is what it keeps after a few."""
    settings = dataclasses.replace(
        SMALL, candidates=dataclasses.replace(SMALL.candidates, cooldown_s=2.0)
    )
    made = exact_scan(PERSON, SCARECROW, settings=settings)
    made.start(is_repeating=True)
    sizes = []
    for _ in range(3):
        made.run(14.0)
        mission = vars(made.controller._blackboard.mission)
        # The delay's samples fill up for minutes; they have a limit of their own.
        kept = {name: part for name, part in mission.items() if name != "delay"}
        sizes.append(len(pickle.dumps(kept)))
    assert max(f.revision for f in made.findings.values()) >= 4
    assert sizes[2] < 1.1 * sizes[1]
