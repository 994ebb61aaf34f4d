"""Words and examples while a mission runs: an operator's act holds, a detector's restart does not.

`ExactScan` plays a detector that names each list of words by a stamp, as `detector/words` does.
"""

import math
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from resumed_scan import crash
from scan_things import PERSON, SCARECROW, TENT, exact_scan, run_to_end, states_of

from ros_support_pkg.core.words import CellResult, FindingState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.inputs import FrameDetections, VocabularyReply
from semantic_detection_pkg.scan.core.journal import inputs_from_json, inputs_to_json
from semantic_detection_pkg.scan.core.mission_words import MissionWords
from semantic_detection_pkg.scan.core.standing_inputs import StandingInputs
from simulation_pkg.harness.exact_scan import ExactScan, Thing

S = 1_000_000_000
BOTH = ("person", "tent")
#: It takes some 20 s to sweep.
LARGE = Area(-2.1, 2.1, 0.05, 1.3)


@pytest.fixture(params=[True, False], ids=["tells acts", "of before"], autouse=True)
def tells_acts(request, monkeypatch):
    """What `detector/words` tells: all acts since the detector began, or the newest list alone."""
    told = partial(exact_scan, tells_acts=request.param)
    monkeypatch.setattr(sys.modules[__name__], "exact_scan", told)
    return request.param


def begun(*things, seconds: float = 1.5, words=("person",), **switches) -> ExactScan:
    """Return a scan that has swept for a while, and found no word of its goal wanting."""
    made = exact_scan(*things, **switches)
    made.start(words=words, area=LARGE)
    made.run(seconds)
    assert made.controller.coverage is not None
    assert made.controller.coverage.share_seen() > 0.05
    return made


def run_until_seen(made: ExactScan, thing: Thing) -> None:
    """Let time pass until the place of a thing counts as seen."""

    def is_seen(_) -> bool:
        coverage = made.controller.coverage
        unseen = coverage.unseen().astype(float)
        return coverage.at(unseen, (thing.yaw_rad, thing.pitch_rad)) == 0.0

    made.run(40.0, until=is_seen)


def words_told(made: ExactScan) -> list[tuple[str, ...]]:
    return [one.vocabulary.words for one in made.decisions if one.vocabulary is not None]


def notices(made: ExactScan) -> list[str]:
    return [text for one in made.decisions for text in one.notices]


# --------------------------------------------------------------------------- what an operator asks


@pytest.mark.parametrize(("cause", "shown"), [("shown", "tent"), ("set", "")])
@pytest.mark.parametrize("late_ns", [0, S])
def test_a_class_that_is_new_while_it_runs_is_searched_for_from_then_on(cause, shown, late_ns):
    made = begun(PERSON, TENT, words_late_ns=late_ns)
    run_until_seen(made, TENT)
    seen = made.controller.coverage.share_seen()
    made.look_for(BOTH, cause, shown)
    made.run(0.2 + late_ns / S)
    assert made.controller.goal.words == BOTH
    assert made.controller.coverage.share_seen() < seen, "it was not swept for the tent"
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert made.result.coverage == 1.0
    assert states_of(made) == dict.fromkeys(BOTH, FindingState.CONFIRMED)
    assert words_told(made) == [("person",)], "the detector knows them, it is told nothing"
    assert "looked for from now on: tent; the area is searched anew" in notices(made)


def test_the_pod_of_a_new_class_begins_with_nothing_that_of_the_others_goes_on():
    made = begun(PERSON, seconds=3.0)
    before = made.controller.pod.exposure("person").copy()
    made.look_for(BOTH, "shown", "tent")
    made.run(0.1)
    pod = made.controller.pod
    assert pod.class_names == BOTH
    assert (pod.exposure("person") >= before).all()
    assert pod.exposure("person").sum() > 3.0 * pod.exposure("tent").sum()
    assert not (made.controller.coverage.results == CellResult.EMPTY).sum() > before.size / 3


def test_frames_that_were_looked_at_for_other_words_do_not_count():
    made = begun(seconds=3.5, latency_ns=600_000_000)
    made.look_for(BOTH, "shown", "tent")
    made.run(0.1)
    assert made.controller.goal.words == BOTH
    made.run(0.45)  # those on their way know nothing of tents
    assert made.controller.coverage.share_seen() == 0.0
    assert not made.controller.pod.exposure("tent").any()
    made.run(0.6)
    assert made.controller.pod.exposure("tent").any()


def test_a_word_that_is_set_no_more_leaves_with_its_candidates_and_its_findings_stay():
    made = begun(PERSON, TENT, SCARECROW, words=BOTH)
    made.run(30.0, until=lambda one: one.status.candidates > 0)
    assert not made.findings
    made.look_for(("tent",), "set")
    made.run(0.2)
    assert made.controller.goal.words == ("tent",)
    run_to_end(made)
    assert states_of(made) == {"tent": FindingState.CONFIRMED}
    assert "not looked for any more: person" in notices(made)


def test_a_question_about_a_word_that_leaves_is_taken_back():
    made = exact_scan(SCARECROW, is_classifier_absent=True, is_model_silent=True)
    made.start(words=BOTH)
    asked = made.run(30.0, until=lambda one: bool(one.ask)).ask[0].request_id
    made.look_for(("tent",), "set")
    run_to_end(made)
    assert [one for step in made.decisions for one in step.cancel_asks] == [asked]
    assert (made.result.outcome, made.findings) == ("succeeded", {})


def test_a_question_about_a_word_that_stays_goes_on():
    made = exact_scan(SCARECROW, is_classifier_absent=True)
    made.start(words=("person",))
    made.run(30.0, until=lambda one: bool(one.ask))
    made.look_for(BOTH, "shown", "tent")
    run_to_end(made)
    assert not [one for step in made.decisions for one in step.cancel_asks]
    assert sum(bool(one.ask) for one in made.decisions) == 1


def test_what_was_forgotten_leaves_and_nothing_left_ends_the_goal():
    made = begun(words=BOTH)
    made.look_for(("tent",), "forgotten")
    made.run(0.2)
    assert made.controller.goal.words == ("tent",)
    made.look_for(("footpath", "person"), "forgotten")  # without a word it looks for all it knows
    made.run(0.2, until=lambda one: one.result is not None)
    assert made.result.outcome == "aborted"
    assert made.result.message == ("not looked for any more: tent: nothing is left to look for")


def test_an_example_of_a_word_of_the_goal_does_not_begin_the_area_again():
    made = begun(words=BOTH)
    seen = made.controller.coverage.share_seen()
    made.look_for(BOTH, "shown", "tent")
    made.run(0.5)
    assert made.controller.coverage.share_seen() >= seen
    assert not notices(made)


def test_after_the_sweep_a_new_class_begins_it_again():
    made = exact_scan(SCARECROW, TENT, is_classifier_absent=True, is_model_silent=True)
    made.start(words=("person",))
    made.run(60.0, until=lambda one: bool(one.ask))
    assert made.controller.progress.is_swept
    made.look_for(BOTH, "shown", "tent")
    made.run(0.2)
    assert not made.controller.progress.is_swept
    run_to_end(made)
    assert states_of(made)["tent"] is FindingState.CONFIRMED or "tent" in states_of(made)


def test_acts_that_come_before_a_step_are_all_told_in_order():
    standing = StandingInputs()
    acts = [
        WordsInForce(1, "net", (), "set", ("tent",), ("tent",)),
        WordsInForce(2, "net", (), "forgotten", ("tent",), ("tent",)),
    ]
    for one in (*acts, acts[-1]):  # the newest is told again and again
        standing.put(one)
    assert standing.news() == acts
    standing.put(acts[-1])
    assert standing.news() == acts[-1:]
    standing.tell_all_again()
    assert standing.news() == acts[-1:]


@pytest.mark.parametrize("words", [("PERSON", "tent"), ("tent", "person")])
def test_the_same_words_in_another_way_begin_nothing_anew_and_are_no_news(words):
    made = begun(PERSON, TENT, words=BOTH)
    seen = made.controller.coverage.share_seen()
    made.look_for(words, "set")
    made.run(0.2)
    assert made.controller.goal.words == words
    assert made.controller.coverage.share_seen() >= seen
    assert not notices(made)
    run_to_end(made)
    assert states_of(made) == dict.fromkeys(BOTH, FindingState.CONFIRMED)


def test_a_class_that_gets_another_name_is_searched_anew_as_its_candidates_leave():
    made = exact_scan(SCARECROW, is_classifier_absent=True)
    made.start(words=("person",))
    made.run(60.0, until=lambda one: bool(one.ask))
    assert made.controller.progress.is_swept
    made.things = [replace(SCARECROW, class_name="hiker")]  # as detections name it from now on
    made.look_for(("hiker=person",), "set")
    run_to_end(made)
    assert made.result.coverage == 1.0
    assert [one.class_name for one in made.findings.values()] == ["hiker"]


def test_words_that_give_way_to_newer_ones_end_no_mission():
    made = exact_scan(PERSON, TENT)
    choose = made.choose_words

    def overtaken(request):
        made.choose_words = choose
        made.heed()
        made.look_for(("tent",), "set")  # while the mission's words are being encoded
        said = "vocabulary: a newer request came, and holds"
        return VocabularyReply(request.request_id, False, said, ("tent",), made.words_since_ns)

    made.choose_words = overtaken
    made.start(words=("person",), area=LARGE)
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert states_of(made) == {"tent": FindingState.CONFIRMED}
    assert notices(made)[0].startswith("looked for from now on: tent; not looked for any more: per")


@pytest.mark.parametrize("is_late", [False, True])
def test_what_newer_words_are_may_be_told_after_the_refusal(is_late):
    words = MissionWords(("person",))
    words.request(1, 0)
    newer = WordsInForce(5, "net", (), "set", ("tent",), ("tent",))
    refusal = VocabularyReply(1, False, "newer", ("tent",), 5)
    steps = [lambda: words.follow(newer, 0), lambda: words.give_way(refusal, 0)]
    changes = [one() for one in (reversed(steps) if is_late else steps)]
    assert changes[0] is None
    assert changes[1].words == words.asked == ("tent",)


def test_all_that_was_asked_of_the_detector_before_its_first_answer_holds():
    words = MissionWords(("person",))
    words.request(1, 0)
    tent = ("tent",)
    assert words.follow(WordsInForce(6, "net", (), "set", tent, tent), 0) is None
    assert words.follow(WordsInForce(7, "net", (), "forgotten", tent, tent), 0) is None
    change = words.answer(VocabularyReply(1, True, "", ("person",), 5), 0)
    assert (change.words, change.joined, change.left) == (tent, tent, ("person",))


# ------------------------------------------------------------------------------ what is none of it


def test_words_of_before_the_mission_are_not_its_words():
    made = exact_scan(PERSON, TENT, words_late_ns=300_000_000)
    made.look_for(("tent",), "set")
    made.start(words=("person",))
    made.run(2.0)
    assert made.controller.goal.words == ("person",)
    assert words_told(made) == [("person",)]


@pytest.mark.parametrize("late_ns", [0, S])
def test_a_detector_that_begins_anew_is_told_the_words_again_new_ones_with_them(late_ns):
    made = begun(words_late_ns=late_ns)
    made.look_for(BOTH, "shown", "tent")
    made.run(3.0)
    made.look_for(("footpath",), "configured")
    made.run(4.0)
    assert words_told(made) == [("person",), BOTH]
    assert made.controller.goal.words == made.vocabulary == BOTH


def test_an_act_while_the_words_are_told_again_holds_beside_them():
    made = begun()
    made.run(2.0)
    made.look_for(("footpath",), "configured")
    made.run(0.2, until=lambda one: one.vocabulary is not None)
    made.look_for(("footpath", "tent"), "shown", "tent")  # before the detector hears the mission
    made.run(1.0)
    assert made.controller.goal.words == made.vocabulary == BOTH


@pytest.mark.parametrize("asked", ["person", "Person"])
def test_what_is_asked_of_a_detector_that_knows_not_yet_the_missions_words_adds_to_them(
    asked, tells_acts
):
    made = begun(PERSON, TENT, seconds=3.5, words=(asked,), latency_ns=600_000_000)
    made.look_for(("footpath",), "configured")
    if not tells_acts:
        made.run(0.2)
    assert words_told(made) == [(asked,)], "it has not heard, or its frames have not shown, that"
    made.look_for(("footpath",), "forgotten")  # of a class that the mission has nothing to do with
    made.look_for(("footpath", "tent"), "shown", "tent")
    run_to_end(made)
    assert words_told(made) == [(asked,), (asked, "tent")]
    assert made.result.outcome == "succeeded"
    assert states_of(made) == dict.fromkeys(BOTH, FindingState.CONFIRMED)


def test_a_detector_that_begins_with_another_meaning_of_a_word_is_told_the_missions():
    made = begun(words=("coat=person",))
    made.look_for(("coat=tent",), "configured")
    made.run(0.3)
    assert words_told(made) == [("coat=person",)] * 2


def test_words_that_the_detector_has_no_room_for_any_more_are_not_searched_for():
    made = begun(PERSON, TENT, words=BOTH, seconds=2.5)
    choose = made.choose_words
    made.choose_words = lambda request: choose(replace(request, words=request.words[:1]))
    made.look_for(("footpath",), "configured")
    made.run(4.0)
    assert made.controller.goal.words == made.vocabulary == made.controller.pod.class_names
    assert made.vocabulary == ("person",)


def test_words_whose_message_never_comes_are_put_right_after_a_while():
    made = begun(seconds=2.5, words_late_ns=3600 * S)
    made.look_for(("tent",), "set")
    made.run(1.8)
    assert words_told(made) == [("person",)]
    made.run(1.0)
    assert words_told(made) == [("person",)] * 2


def test_a_detector_of_before_is_told_the_words_again_as_before():
    made = begun(seconds=2.5, tells_words=False)
    made.look_for(("tent",), "set")
    made.run(0.3)
    assert words_told(made) == [("person",)] * 2


def test_a_set_that_the_model_has_no_room_for_is_known_as_what_it_has():
    words = MissionWords(("person", "tent", "rope"))
    words.request(1, 0)
    assert words.answer(VocabularyReply(1, True, "no room: rope", BOTH, 5), 0) is None
    assert words.asked == BOTH


@pytest.mark.parametrize("since_ns", [4, 5])
def test_what_was_told_before_the_answer_is_none_of_the_missions_whenever_it_comes(since_ns):
    reply = VocabularyReply(1, True, "", ("person",), 5)
    old = WordsInForce(since_ns, "net", (), "set", ("tent",), ("tent",))
    for is_first in (True, False):
        words = MissionWords(("person",))
        words.request(1, 0)
        changes = [words.follow(old, 0)] if is_first else []
        changes += [words.answer(reply, 0), words.follow(old, 0)]
        assert changes == [None] * len(changes)
        assert words.asked == ("person",)


def test_an_act_between_the_answer_and_its_arrival_holds():
    words = MissionWords(("person",))
    words.request(1, 0)
    act = WordsInForce(6, "net", (), "shown", BOTH, BOTH, "tent")
    assert words.follow(act, 0) is None
    change = words.answer(VocabularyReply(1, True, "", ("person",), 5), 0)
    assert change is not None
    assert (change.words, change.joined, change.left) == (BOTH, ("tent",), ())


def test_a_word_is_kept_as_it_was_asked_for():
    words = MissionWords(("coat=raincoat|rain jacket",))
    words.request(1, 0)
    words.answer(VocabularyReply(1, True, "", ("coat",), 5), 0)
    asked = ("coat=raincoat|rain jacket", "Boot")
    words.follow(WordsInForce(6, "net", (), "shown", ("coat", "Boot"), asked, "Boot"), 0)
    assert words.asked == asked
    frame = FrameDetections(9, Detections.none(64, 64), ("coat", "Boot"), words_since_ns=6)
    assert words.counts(frame)


# --------------------------------------------------------------------------- journal and checkpoint


def test_a_replay_of_the_journal_decides_the_same_bit_for_bit():
    made = begun(PERSON, TENT, SCARECROW)
    made.look_for(BOTH, "shown", "tent")
    made.run(3.0)
    made.look_for(("tent",), "set")
    run_to_end(made)
    again = ScanController(made.settings)
    for (now_ns, inputs), decision in zip(made.journal, made.decisions, strict=True):
        messages = [one for one in inputs if not is_journalled(one)]
        others = inputs_from_json(
            inputs_to_json(None, [one for one in inputs if is_journalled(one)])
        )
        assert again.step(now_ns, [*messages, *others.others]).to_json() == decision.to_json()


def is_journalled(item) -> bool:
    return not hasattr(item, "yaw_rate_rad_s") and not isinstance(item, FrameDetections)


def test_a_mission_that_is_resumed_looks_for_what_it_looked_for():
    made = begun(PERSON, TENT)
    made.look_for(BOTH, "shown", "tent")
    made.run(0.5)
    pods = {name: made.controller.pod.exposure(name).copy() for name in BOTH}
    seen = made.controller.coverage.share_seen()
    crash(made, gap_s=2.0)
    made.step()
    assert made.controller.goal.words == BOTH
    assert made.controller.coverage.share_seen() == pytest.approx(seen, abs=0.01)
    for name, before in pods.items():
        assert np.array_equal(made.controller.pod.exposure(name), before)
    run_to_end(made)
    assert words_told(made)[-1] == BOTH
    assert states_of(made) == dict.fromkeys(BOTH, FindingState.CONFIRMED)
    assert not math.isnan(made.result.elapsed_s)


@pytest.mark.parametrize(
    ("asked", "cause", "shown", "wanted"),
    [
        (("tent",), "set", "", ("tent",)),
        (("person", "tent"), "shown", "tent", ("Person", "tent")),
        (("person",), "shown", "person", ("Person",)),
        (("footpath",), "configured", "", ("Person",)),
    ],
)
def test_what_is_asked_while_the_controller_is_gone_holds_when_it_comes_back(
    asked, cause, shown, wanted
):
    made = begun(PERSON, TENT, words=("Person",))
    made.run(20.0, until=lambda one: one.status.candidates > 0)
    crash(made, gap_s=1.0)
    made.look_for(asked, cause, shown)
    made.run(0.2)
    assert made.controller.goal.words == wanted
    run_to_end(made)
    assert words_told(made)[-1] == wanted
    assert states_of(made) == {
        name.lower(): FindingState.CONFIRMED for name in wanted if name.lower() in BOTH
    }
