"""The controller repeats itself: the same inputs give the same decisions, in bounded memory."""

import dataclasses
import pickle

from replayed_scan import journalled, replayed
from scan_things import PERSON, SCARECROW, SETTINGS, TENT, VAGUE, exact_scan, run_to_end

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import PointHere
from simulation_pkg.harness.exact_scan import STEP_NS, ExactScan


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


def test_the_same_inputs_give_the_same_decisions_whatever_way_they_came():
    made = recorded()
    decisions = [decision.to_json() for decision in made.decisions]
    for through in (journalled, lambda item: item, lambda item: pickle.loads(pickle.dumps(item))):
        assert replayed(made, through)[1] == decisions
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
        SETTINGS, candidates=dataclasses.replace(SETTINGS.candidates, cooldown_s=2.0)
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
