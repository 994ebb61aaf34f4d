"""Checkpoints: a mission that goes on in another controller, the bytes, and what is no checkpoint.

`ExactScan` plays the robot; a crash is a new `ScanController` over the same robot.
"""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.scan.core.candidate_states import CandidateState
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint, resume_mission
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    BYTES_MAX,
    MAGIC,
    CheckpointEncoder,
    CheckpointError,
    Head,
    Moment,
    decode,
    encode,
    from_text,
    to_text,
    unpack,
    with_attempt,
)
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    BaseAttitude,
    Cancel,
    Fix,
    Pause,
    Resume,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.journal import inputs_from_json, inputs_to_json
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import STEP_NS, ExactScan, Thing

S = 1_000_000_000
PERSON = Thing(0.3, 0.3, "person", 0.02)
TENT = Thing(-0.4, 0.2, "tent", 0.03)
SCARECROW = Thing(-0.1, 0.4, "person", 0.02, truth="scarecrow")
VAGUE = Thing(0.5, 0.15, "person", 0.02, sureness=0.5)


def body_of(made: ExactScan) -> bytes:
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    return CheckpointEncoder().body(checkpoint)


def crash(made: ExactScan, *, gap_s: float = 0.0, **resume) -> Resume:
    """Take a checkpoint, lose the controller, let time pass, and begin with another one."""
    item = Resume(to_text(body_of(made)), round(gap_s * S), **resume)
    resume_from(made, item, gap_s)
    return item


def resume_from(made: ExactScan, item: Resume, gap_s: float = 0.0) -> None:
    made.controller = ScanController(made.settings)
    made.now_ns += round(gap_s * S / STEP_NS) * STEP_NS
    made.inbox.append(item)
    made._later.clear()  # answers to the one that ended


def run_to_end(made: ExactScan, seconds: float = 60.0) -> ExactScan:
    made.run(seconds, until=lambda decision: decision.result is not None)
    return made


def told(made: ExactScan) -> dict[str, FindingState]:
    """Return the newest state of each thing that was found, by class and truth."""
    states = {}
    for finding in made.controller.findings or made.findings.values():
        thing = min(made.things, key=lambda one: abs(one.yaw_rad - finding.yaw_rad))
        states[thing.truth or thing.class_name] = finding.state
    return states


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
    assert told(made) == {"person": FindingState.CONFIRMED, "tent": FindingState.CONFIRMED}


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


# ------------------------------------------------------------------------------- it asks


def test_it_stays_paused_until_an_operator_agrees_and_says_why() -> None:
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(1.0)
    coverage = made.controller.coverage
    assert coverage is not None
    share = coverage.share_seen()
    crash(made, reasons_to_ask=("the computer was started again", "it is late"))
    for _ in range(60):
        decision = made.step()
        assert made.controller.is_paused
        assert decision.rate is None
        assert decision.angle is None
        assert decision.vocabulary is None
    assert decision.status.reason == (
        "resumed, waits for an operator to go on or end it: the computer was started again; it is"
        " late"
    )
    assert made.controller.coverage is not None
    assert made.controller.coverage.share_seen() == share == decision.status.coverage
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert made.result is not None
    assert made.result.findings == 2


def test_an_operator_ends_what_was_resumed() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("why not",))
    made.run(1.0)
    made.inbox.append(Cancel("g"))
    run_to_end(made, 1.0)
    assert made.result is not None
    assert (made.result.outcome, made.result.goal_id) == ("cancelled", "g")
    assert made.controller.checkpoint() is None


def test_another_goal_takes_over() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("why not",))
    made.run(1.0)
    made.start(goal_id="h")
    run_to_end(made, 1.0)
    assert made.result is not None
    assert (made.result.outcome, made.result.goal_id) == ("aborted", "g")
    assert made.controller.goal is not None
    assert made.controller.goal.goal_id == "h"
    assert not made.controller.is_paused


def test_what_was_paused_stays_paused() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(2.0)
    made.inbox.append(Pause(True))
    made.run(0.5)
    crash(made)
    made.run(1.0)
    assert made.controller.is_paused
    assert made.decisions[-1].status.reason == "resumed, paused as it was before"


FIX = Fix(1, 47.0, 8.0, 400.0)
LEVEL = BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (dataclasses.replace(FIX, latitude_deg=47.00003), ""),
        (dataclasses.replace(FIX, latitude_deg=47.001), "the base has moved by 111 m"),
        (dataclasses.replace(FIX, longitude_deg=8.001), "the base has moved by 76 m"),
        (BaseAttitude(1, (0.0, 0.0, 0.0, -1.0)), ""),
        (BaseAttitude(1, (0.0, 0.0, 0.5**0.5, 0.5**0.5)), "the base has turned by 90 deg"),
    ],
)
def test_at_another_place_it_asks(now: Fix | BaseAttitude, words: str) -> None:
    made = ExactScan([PERSON])
    made.inbox += [FIX, LEVEL]
    made.start()
    made.run(1.0)
    crash(made)
    made.run(0.5)
    assert not made.controller.is_paused
    made.inbox.append(now)
    made.run(0.2)
    assert made.controller.is_paused == bool(words)
    assert words in made.decisions[-1].status.reason
    made.inbox.append(Pause(False))
    made.run(0.2)
    made.inbox.append(now)  # it has agreed to that
    made.run(0.2)
    assert not made.controller.is_paused


def test_at_another_place_it_asks_after_a_second_crash_too() -> None:
    """The second controller had not heard where it is."""
    made = ExactScan([PERSON])
    made.inbox += [FIX, LEVEL]
    made.start()
    made.run(1.0)
    crash(made)
    made.run(0.2)
    crash(made)
    made.run(0.2)
    assert not made.controller.is_paused
    made.inbox.append(dataclasses.replace(FIX, latitude_deg=47.001))
    made.run(0.2)
    assert "the base has moved by 111 m" in made.decisions[-1].status.reason


def test_a_crash_while_it_asks_is_no_answer() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("it is late",))
    made.run(0.5)
    crash(made)
    made.run(0.5)
    assert made.controller.is_paused


@pytest.mark.parametrize("change", ["limits", "camera", "cells"])
def test_what_no_longer_fits_is_seen_anew_and_the_findings_stay(change: str) -> None:
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(60.0, until=lambda d: d.status.findings == 1)
    (found,) = made.controller.findings
    if change == "cells":
        made.settings = dataclasses.replace(made.settings, cell_size_rad=0.02)
    item = crash(made)
    if change == "limits":
        made.limits = (-0.5, 0.5, -0.5, 1.5)
    if change == "camera":
        made.width, made.height = 640, 360
    made.step()
    resumed = made.controller.coverage
    assert resumed is not None
    if change != "cells":  # that can be told from the settings, before
        made.run(2.0, until=lambda d: d.status.reason.startswith("the camera, or what the gimbal"))
        assert made.controller.is_paused
        made.inbox.append(Pause(False))
        made.run(2.0, until=lambda d: d.status.leaf == "sweep area")
        assert made.controller.coverage is not resumed
    assert made.controller.findings[0].finding_id == found.finding_id
    made.result = None
    run_to_end(made)
    assert made.result is not None
    assert made.result.outcome == "succeeded"
    assert found.finding_id in {one.finding_id for one in made.findings.values()}
    assert item.reasons_to_ask == ()


def test_what_the_gimbal_tells_a_little_differently_still_fits() -> None:
    """The wide field of view is computed from that at the zoom in force, which is rounded."""
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(1.0)
    crash(made)
    made.zoom = 1.02
    run_to_end(made)
    assert not any("the camera, or" in d.status.reason for d in made.decisions)


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


# ------------------------------------------------------------------------------- bytes

HEAD = Head(Moment(1_700_000_000 * S, "boot", 5 * S), ScanSettings())


@pytest.fixture(scope="module")
def body() -> bytes:
    made = ExactScan([PERSON, TENT, SCARECROW, VAGUE], answer=Verdict.NO)
    made.start()
    made.run(60.0, until=lambda _: len(made.findings) >= 2)
    return body_of(made)


def test_bytes_come_back(body: bytes) -> None:
    head, again = decode(encode(HEAD, body))
    assert (head, again) == (HEAD, body)
    checkpoint = unpack(body)
    assert CheckpointEncoder().body(checkpoint) == body
    assert len(checkpoint.findings) >= 2
    assert from_text(to_text(body)).mission == checkpoint.mission


def test_findings_are_encoded_once(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    checkpoint = unpack(body)
    encoder = CheckpointEncoder()
    first = encoder.body(checkpoint)
    name = "semantic_detection_pkg.scan.core.checkpoint_encoding.to_plain"
    encoded = []
    monkeypatch.setattr(name, lambda value: encoded.append(value) or {})
    encoder.body(checkpoint)
    assert [type(one).__name__ for one in encoded] == ["MissionRecord"]
    assert first == body


def test_each_attempt_is_counted(body: bytes) -> None:
    data = encode(HEAD, body)
    for count in (1, 2):
        data = with_attempt(data)
        assert decode(data)[0].attempts == count
    assert decode(data)[1] == body


def test_a_cut_at_any_place_is_told(body: bytes) -> None:
    data = encode(HEAD, body)
    for length in [0, 1, 34, 35, 36, 40, 101, 102, 200, *range(300, len(data), 997), len(data) - 1]:
        with pytest.raises(CheckpointError) as error:
            decode(data[:length])
        assert "\n" not in str(error.value)


def test_a_flipped_bit_is_told(body: bytes) -> None:
    data = bytearray(encode(HEAD, body))
    for place in [0, 36, 60, 150, *range(300, len(data), 1009)]:
        data[place] ^= 4
        with pytest.raises(CheckpointError):
            decode(bytes(data))
        data[place] ^= 4
    decode(bytes(data))


def signed(rest: bytes, version: bytes = b"1") -> bytes:
    """Return a file whose digest fits, as a program of another version would write it."""
    return MAGIC + version + b" " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\0" * 4096, "it is no checkpoint of a scan"),
        (b"mcap" * 99, "it is no checkpoint of a scan"),
        (signed(b"{}\n", b"2"), "it is of version '2', this one reads 1"),
        (signed(b"{}\n", b"\xff" * 99), "it is of version"),
        (signed(b""), "it is of another version of this program"),
        (signed(b"{}\n"), "it is of another version of this program: Head"),
        (signed(b"[" * 100_000 + b"\n"), "it is of another version of this program"),
        (MAGIC + bytes(BYTES_MAX + 2_000_000), "it is larger than 32 MB"),
    ],
    ids=range(9),
)
def test_what_is_no_checkpoint_is_told_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(CheckpointError, match=words) as error:
        decode(data)
    assert "\n" not in str(error.value)


def test_a_body_of_another_version_is_told(body: bytes) -> None:
    import zlib

    length = int.from_bytes(body[:8], "little")
    plain = json.loads(zlib.decompress(body[8 : 8 + length]))
    cells = body[8 + length :]

    def changed(**parts: object) -> bytes:
        packed = zlib.compress(json.dumps({**plain, **parts}).encode())
        return len(packed).to_bytes(8, "little") + packed + cells

    assert unpack(changed()).mission == unpack(body).mission
    for parts in (
        {"mission": {}},
        {"mission": 1},
        {"mission": None},
        {"mission": {**plain["mission"], "is_new": True}},
        {"findings": [{}]},
        {"findings": 3},
        {"shape": [1, 1]},
        {"shape": [1]},
        {"shape": [-1, -1]},
        {"shape": "ab"},
        {"shape": [10**40, 10**40]},
    ):
        with pytest.raises(CheckpointError) as error:
            unpack(changed(**parts))
        assert "\n" not in str(error.value)
    for cut in (b"", body[:4], body[:8], body[:100], body[: 8 + length], body[:-1]):
        with pytest.raises(CheckpointError):
            unpack(cut)


def test_parts_that_do_not_fit_together_are_refused(body: bytes) -> None:
    checkpoint = unpack(body)
    search = checkpoint.mission.search
    assert search is not None
    for mission, findings, coverage in (
        (checkpoint.mission, checkpoint.findings[1:], checkpoint.coverage),
        (checkpoint.mission, checkpoint.findings, None),
    ):
        with pytest.raises(ValueError):
            resume_mission(Checkpoint(mission, findings, coverage), ScanSettings(), 1)
