"""The whole controller in a world without pixels: what it finds, and goals that it refuses.

`ExactScan` (simulation_pkg.harness) plays gimbal, detector, classifier and model. What comes
between: `test_scan_interruptions.py`; that it repeats: `test_scan_determinism.py`.
"""

import dataclasses

import pytest
from scan_things import (
    COURSE,
    PATH,
    PERSON,
    SCARECROW,
    SETTINGS,
    TENT,
    VAGUE,
    exact_scan,
    run_to_end,
    states_of,
    without_model,
)

from ros_support_pkg.core.words import FindingState, Level, Verdict
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.inputs import GpuStatus
from semantic_detection_pkg.scan.core.settings import ScanSettings, TierSettings

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
    assert max(x1 - x0, y1 - y0) >= SETTINGS.close.min_target_px


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
        SETTINGS, candidates=dataclasses.replace(SETTINGS.candidates, cooldown_s=5.0)
    )
    made = exact_scan(PERSON, settings=settings)
    made.start(is_repeating=True)
    made.run(40.0, until=lambda d: any(f.revision == 3 for f in d.findings))
    assert len(made.findings) == 1
    assert made.result is None


@pytest.mark.parametrize("word", ["Person", "PERSON|walker", "person|walker"])
def test_classes_are_called_as_the_detector_spells_them(word):
    made = exact_scan(PERSON)
    made.start(words=(word, "tent"))
    run_to_end(made)
    (finding,) = made.findings.values()
    assert (finding.class_name, finding.state) == ("person", FindingState.CONFIRMED)


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
