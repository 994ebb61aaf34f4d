"""A mission goes on in another controller: what it keeps, over time, and in a replay.

`ExactScan` plays the robot; a crash is a new `ScanController` over the same robot. Where it asks
before it goes on: `test_resume_asks.py`. The bytes: `test_checkpoint_bytes.py`.
"""

import dataclasses
import json

import numpy as np
import pytest
from resumed_scan import S, body_of, crash, resume_from
from scan_things import PERSON, SCARECROW, TENT, VAGUE, run_to_end, states_of

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.scan.core.candidate_states import CandidateState
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointEncoder, to_text
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import Resume, input_from_plain, input_to_plain
from semantic_detection_pkg.scan.core.journal import inputs_from_json, inputs_to_json
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import ExactScan

# ------------------------------------------------------------------------- what a mission keeps


@pytest.mark.parametrize("after_s", [0.05, 0.1, 0.8, 1.8, 2.5, 3.5, 4.2, 6.0])
@pytest.mark.parametrize("gap_s", [0.0, 3.0, 400.0])
def test_a_mission_goes_on_wherever_it_was_interrupted(after_s: float, gap_s: float) -> None:
    made = ExactScan([PERSON, TENT, SCARECROW, VAGUE])
    made.start()
    made.run(after_s)
    before = made.controller
    found = {one.finding_id: one for one in before.findings}
    seen = before.checkpoint()
    assert seen is not None
    crash(made, gap_s=gap_s)
    made.step()
    after = made.controller
    assert after.goal == before.goal
    assert {one.finding_id: one for one in after.findings} == found
    if seen.coverage is not None:
        assert after.coverage is not None
        # Frames of this very step do not count yet: the words are not told again.
        assert np.array_equal(after.coverage.record().view_counts, seen.coverage.view_counts)
        assert np.array_equal(after.coverage.last_seen_s, seen.coverage.last_seen_s)
        ages = after.coverage.ages_s(after.now_s)[seen.coverage.view_counts > 0]
        assert ages.size == 0 or ages.min() >= gap_s
    run_to_end(made)
    assert made.result is not None
    assert made.result.outcome == "succeeded"
    assert made.result.coverage == 1.0
    assert made.result.elapsed_s >= after_s + gap_s - 0.11
    assert set(found) <= set(made.findings)
    places = [
        min(made.things, key=lambda one: abs(one.yaw_rad - found.yaw_rad))
        for found in made.findings.values()
    ]
    assert len(places) == len(set(places)) == 4, "each thing is found once"


def test_candidates_keep_their_evidence_and_their_place() -> None:
    made = ExactScan([PERSON, TENT, SCARECROW])
    made.start()
    made.run(30.0, until=lambda d: d.status.candidates == 3)
    before = made.controller.checkpoint()
    crash(made)
    made.step()
    after = made.controller.checkpoint()
    assert before is not None
    assert before.mission.search is not None
    assert after is not None
    assert after.mission.search is not None
    for old, new in zip(
        before.mission.search.candidates, after.mission.search.candidates, strict=True
    ):
        assert (new.first_id, new.label, new.since_ns) == (old.first_id, old.label, old.since_ns)
        assert new.state is old.state
        assert new.evidence.presence == old.evidence.presence
        was, now = old.evidence.extent, new.evidence.extent
        assert (now.size_rad, now.was_whole) == (was.size_rad, was.was_whole)
        assert (now.track.yaw_rad, now.track.pitch_rad) == (was.track.yaw_rad, was.track.pitch_rad)
        assert now.track.history == was.track.history
        assert (now.track.yaw_rate_rad_s, now.track.is_seen) == (0.0, False)
    assert after.mission.next_track_id >= before.mission.next_track_id > 3


def test_what_was_under_way_in_the_other_process_is_not_waited_for() -> None:
    made = ExactScan([PERSON, TENT], is_classifier_silent=True)
    made.start()
    made.run(30.0, until=lambda d: bool(d.inspect))
    made.is_classifier_silent = False
    crash(made)
    made.step()
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    assert checkpoint.mission.search is not None
    assert {one.evidence.crop_request for one in checkpoint.mission.search.candidates} == {None}
    run_to_end(made)
    assert states_of(made) == {"person": FindingState.CONFIRMED, "tent": FindingState.CONFIRMED}


@pytest.mark.parametrize("state", [CandidateState.AWAITING_VLM, CandidateState.ASKING_VLM])
def test_a_question_that_was_lost_is_put_again_with_a_new_picture(state: CandidateState) -> None:
    made = ExactScan([VAGUE, dataclasses.replace(VAGUE, yaw_rad=-0.5)])
    made.start()

    def is_there() -> bool:
        checkpoint = made.controller.checkpoint()
        search = checkpoint and checkpoint.mission.search
        return bool(search) and any(one.state is state for one in search.candidates)

    while not is_there():
        made.step()
        assert made.result is None, f"no candidate was {state.value}"
    crash(made)
    made.decisions.clear()
    run_to_end(made)
    asked = [ask.inspection_id for d in made.decisions for ask in d.ask]
    inspected = [one.request_id for d in made.decisions for one in d.inspect]
    assert len(asked) == 2
    assert set(asked) <= set(inspected), "the pictures were made in this process"
    assert len(made.findings) == 2
    for finding in made.findings.values():
        assert finding.state is FindingState.CONFIRMED
        assert [tier.tier for tier in finding.tiers] == [1, 2, 3]


def test_numbers_of_requests_are_not_given_twice() -> None:
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(30.0, until=lambda d: bool(d.findings))
    used = {one.request_id for d in made.decisions for one in d.inspect}
    crash(made)
    made.decisions.clear()
    run_to_end(made)
    later = {one.request_id for d in made.decisions for one in d.inspect}
    later |= {d.vocabulary.request_id for d in made.decisions if d.vocabulary is not None}
    assert later
    assert min(later) > max(used)


def test_new_findings_have_ids_that_no_finding_of_before_had() -> None:
    """Also none that a checkpoint does not know: the older one of two is resumed."""
    made = ExactScan([PERSON, TENT, VAGUE])
    made.start()
    made.run(30.0, until=lambda d: d.status.candidates == 3)
    old = Resume(to_text(body_of(made)))
    made.run(30.0, until=lambda d: d.status.findings == 2)
    lost = set(made.findings)
    resume_from(made, old)
    made.findings.clear()
    run_to_end(made)
    assert len(made.findings) == 3
    assert not lost & set(made.findings)


def test_a_repeating_mission_revises_findings_of_before() -> None:
    settings = ScanSettings()
    settings = dataclasses.replace(
        settings, candidates=dataclasses.replace(settings.candidates, cooldown_s=5.0)
    )
    made = ExactScan([PERSON], settings=settings)
    made.start(is_repeating=True)
    made.run(40.0, until=lambda d: bool(d.findings))
    crash(made)
    made.run(40.0, until=lambda d: any(f.revision == 2 for f in d.findings))
    assert len(made.findings) == 1


def test_what_was_decided_rests_after_a_crash_too() -> None:
    made = ExactScan([PERSON, TENT, SCARECROW, VAGUE])
    made.start()
    made.run(60.0, until=lambda _: len(made.findings) == 3)
    known = set(made.findings)
    crash(made)
    made.decisions.clear()
    run_to_end(made)
    assert not known & {one.finding_id for d in made.decisions for one in d.findings}
    assert made.result is not None
    assert made.result.findings == 3


def test_a_part_that_cannot_be_seen_is_told_as_before() -> None:
    """The sweep had given up; the resumed one does not say that all was covered."""
    made = ExactScan([])
    made.start()
    made.run(1.0)
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    search = checkpoint.mission.search
    assert search is not None
    stuck = dataclasses.replace(
        search, is_swept=True, progress=dataclasses.replace(search.progress, futile_passes=9)
    )
    mission = dataclasses.replace(checkpoint.mission, search=stuck)
    changed = Checkpoint(mission, checkpoint.findings, checkpoint.coverage)
    resume_from(made, Resume(to_text(CheckpointEncoder().body(changed))))
    run_to_end(made)
    assert made.result is not None
    assert "could not be seen" in made.result.message


# ------------------------------------------------------------------------------- time


def test_a_clock_that_was_set_back_meanwhile_changes_nothing_but_stamps() -> None:
    made = ExactScan([PERSON, TENT, VAGUE])
    made.start()
    made.run(60.0, until=lambda d: d.status.findings == 1)
    (first,) = made.controller.findings
    item = Resume(to_text(body_of(made)))
    made.controller = ScanController(made.settings)
    made.now_ns -= 50 * 365 * 24 * 3600 * S
    made._later.clear()
    made.inbox.append(item)
    made.step()
    assert made.controller.findings == (first,), "stamps of before are as they were"
    run_to_end(made)
    assert made.result is not None
    assert made.result.coverage == 1.0
    newest = list(made.findings.values())[-1]
    assert newest.stamp_ns < 0 or newest.stamp_ns < first.stamp_ns - 40 * 365 * 24 * 3600 * S


def test_a_second_crash_after_a_step_of_the_clock() -> None:
    made = ExactScan([PERSON, TENT, VAGUE])
    made.start()
    made.run(2.0)
    made.now_ns += 3600 * S
    made.run(60.0, until=lambda d: d.status.findings == 1)
    known = {one.finding_id: one for one in made.controller.findings}
    for _ in range(3):
        crash(made, gap_s=1.0)
        made.run(0.2)
        made.now_ns -= 1800 * S
        made.run(0.2)
    now = {one.finding_id: one for one in made.controller.findings}
    assert {name: now[name] for name in known} == known
    run_to_end(made)
    assert len(made.findings) == 3


# ------------------------------------------------------------------------------- replay


def test_a_resumed_mission_is_replayed_bit_for_bit() -> None:
    made = ExactScan([PERSON, TENT, SCARECROW, VAGUE])
    made.start()
    made.run(60.0, until=lambda d: d.status.findings == 1)
    crash(made, gap_s=7.0)
    made.journal.clear()
    made.decisions.clear()
    run_to_end(made)
    again = ScanController(made.settings)
    for (now_ns, inputs), decision in zip(made.journal, made.decisions, strict=True):
        others = [one for one in inputs if isinstance(one, Resume)]
        read = inputs_from_json(inputs_to_json(None, others)).others
        assert read == tuple(others)
        replayed = again.step(now_ns, [*read, *(one for one in inputs if one not in others)])
        assert replayed.to_json() == decision.to_json()


def test_the_journal_says_that_it_was_resumed() -> None:
    item = Resume("abc", 5, ("late",))
    plain = input_to_plain(item)
    assert plain["type"] == "Resume"
    assert input_from_plain(json.loads(json.dumps(plain))) == item


@pytest.mark.parametrize("text", ["", "%", "abcd", "AAAAAAAAAAA="])
def test_a_journal_of_another_version_is_said_not_raised(text: str) -> None:
    made = ExactScan([])
    made.inbox.append(Resume(text))
    decision = made.step()
    assert [one.split(":")[0] for one in decision.notices] == ["the mission cannot be resumed"]
    assert made.controller.goal is None


def test_a_controller_at_work_resumes_nothing() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    item = Resume(to_text(body_of(made)))
    seen = made.controller.goal
    made.inbox.append(item)
    made.step()
    assert made.controller.goal is not None
    assert made.controller.goal == seen
    assert not made.decisions[-1].notices
