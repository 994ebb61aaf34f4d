"""Operator, detector and mission against each other, in all orders of what can happen.

The mission's words and the detector's history of acts are the ones that fly. Around them are a
detector that looks for a list, and messages that overtake each other, come late or are lost. From
every state that can be reached things come to rest: then the mission looks for what the operator
asked for, and so does the detector.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import compress, permutations, product
from typing import Any

import pytest

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.word_acts import WordAct, after_acts
from semantic_detection_pkg.detector.core.word_history import WordHistory
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.inputs import FrameDetections, VocabularyReply
from semantic_detection_pkg.scan.core.mission_words import MissionWords

S = 1_000_000_000
CONFIGURED = ("c",)
GOAL = ("a", "b")
NAME = "mission"
#: What an operator asks for: its kind, and the words.
Act = tuple[str, tuple[str, ...]]
SET, SET_ELSE = ("set", ("x", "b")), ("set", ("z",))
SHOWN, SHOWN_ELSE, FORGOTTEN = ("shown", ("y",)), ("shown", ("c",)), ("forgotten", ("b",))
ACTS = (SET, SHOWN, FORGOTTEN, SET_ELSE, SHOWN_ELSE)


@dataclass(frozen=True)
class Left:
    """How often something may still happen.

    Attributes:
        acts: what the operator is going to ask for, in this order.
        retries: requests that are sent again as no answer came.
    """

    acts: tuple[Act, ...]
    restarts: int = 0
    crashes: int = 0
    losses: int = 0
    retries: int = 0


@dataclass
class World:
    """All that matters at one moment. Stamps count what the detector did.

    Attributes:
        words: what the detector looks for.
        newest: what it told last, and tells again and again.
        meant: the operator's acts that are meant for the mission, with the detector's start that
            each came after, and whether that is doubtful.
        is_heeded: the detector has heard of the mission; None: one that is gone has, and the
            mission has not heard of that.
        told, requests, replies: messages on their way; of a request whether the detector has it,
            and still computes its words.
        kept: what the mission goes on with after a crash.
    """

    left: Left
    first: Left
    now: int = 0
    starts: int = 0
    words: tuple[str, ...] = CONFIGURED
    history: WordHistory = field(default_factory=WordHistory)
    newest: WordsInForce | None = None
    mission: MissionWords = field(default_factory=lambda: MissionWords(GOAL, mission=NAME))
    meant: tuple[tuple[int, WordAct, bool], ...] = ()
    is_heeded: bool | None = False
    told: tuple[WordsInForce, ...] = ()
    requests: tuple[tuple[int, tuple[str, ...], bool], ...] = ()
    replies: tuple[VocabularyReply, ...] = ()
    asked: int = 0
    kept: tuple[Any, ...] = (GOAL, (), 0)

    def copy(self) -> World:
        """Return another one, that may go on otherwise."""
        made = copy.copy(self)
        made.history, made.mission = copy.copy(self.history), copy.copy(self.mission)
        for name, value in vars(self.mission).items():
            if isinstance(value, (dict, list)):
                setattr(made.mission, name, value.copy())
        return made

    @property
    def key(self) -> str:
        """Return what two worlds share that go on alike."""
        ways = ("told", "requests", "replies")
        others = {name: value for name, value in vars(self).items() if name not in ways}
        on_their_way = [sorted(map(repr, getattr(self, name))) for name in ways]
        mission = [
            sorted(value.items()) if isinstance(value, dict) else value
            for value in vars(others.pop("mission")).values()
        ]
        return repr((on_their_way, mission, vars(others.pop("history")), others))

    def tell(self, cause: str) -> None:
        """Have the detector tell what it looks for, and all that was asked of it."""
        self.newest = told = WordsInForce(
            self.now,
            "net",
            (),
            cause,
            self.words,
            self.words,
            began_ns=self.history.began_ns,
            acts=self.history.acts,
            mission=self.history.mission,
            mission_ns=self.history.mission_ns,
        )
        self.told += (told,)

    def configure(self) -> None:
        """Have the detector's process begin, with the words of its configuration."""
        self.now, self.starts = self.now + 1, self.starts + 1
        self.history, self.words = WordHistory(), CONFIGURED
        self.history.begin(self.now)
        self.requests = tuple((number, words, False) for number, words, _ in self.requests)
        if self.is_heeded and not self.mission.told_ns:
            self.is_heeded = None  # the mission knows not yet that it was heard of
        self.tell("configured")

    def act(self, kind: str, words: tuple[str, ...]) -> None:
        """Have the operator ask for something."""
        self.now += 1
        act = WordAct(self.now, kind, words)
        self.history.add(act)
        self.words = after_acts(self.words, [act])
        if self.is_heeded is not False:
            self.meant += ((self.starts, act, self.is_heeded is None),)
        self.tell(kind)

    def take(self, request: tuple[int, tuple[str, ...], bool]) -> None:
        """Have the detector look for the mission's words."""
        self.now += 1
        self.words = request[1]
        self.tell("set")
        self.replies += (VocabularyReply(request[0], True, "", self.words, self.now),)

    def heed(self) -> None:
        """Have the detector hear that the mission tells its words."""
        self.history.heed(NAME, self.now)
        self.is_heeded = True

    def ask(self) -> None:
        """Have the mission tell its words where it has to, as the scan does in each step."""
        mission = self.mission
        if mission.asked and not mission.vocabulary and not mission.request_id:
            self.send()
        self.kept = (mission.asked, mission.names, mission.heard_ns)

    def send(self) -> None:
        """Have the mission tell its words."""
        self.asked += 1
        self.mission.request(self.asked, 1)
        self.requests += ((self.asked, self.mission.asked, False),)

    def hear(self, item: WordsInForce | VocabularyReply) -> None:
        """Have the mission hear something."""
        if isinstance(item, WordsInForce):
            self.mission.follow(item, 0)
        elif item.request_id == self.mission.request_id:
            self.mission.answer(item, 0)
        self.ask()

    def crash(self) -> None:
        """Lose the scan controller; another goes on from what was kept, and hears the newest."""
        self.mission = MissionWords(*self.kept, mission=NAME)
        self.replies, self.told = (), ()
        self.ask()
        if self.newest is not None:
            self.told = (self.newest,)

    def come_to_rest(self) -> None:
        """Let arrive what is on its way, and what is told and asked again and again."""
        for _ in range(4):
            told, self.told = self.told, ()
            for item in filter(None, (*told, self.newest)):
                self.hear(item)
            if self.mission.asked and not self.mission.vocabulary:
                self.send()
            requests, self.requests = self.requests, ()
            for request in requests:
                self.heed()
                self.take(request)
            replies, self.replies = self.replies, ()
            for reply in replies:
                self.hear(reply)
            for stamp_ns in (10 * S, 20 * S):
                empty = Detections.none(64, 64)
                self.mission.compare(
                    FrameDetections(stamp_ns, empty, self.words, words_since_ns=self.now)
                )
            self.ask()


def begun(left: Left, *, is_new: bool) -> World:
    """Return a world with a mission that has just begun, or whose words the detector looks for."""
    world = World(left, left)
    world.configure()
    world.ask()
    if not is_new:
        world.come_to_rest()
    return world


def can_follow(world: World) -> Iterator[World]:
    """Return all that can happen next."""
    left = world.left

    def after(change: Callable[[World], None], **less: Any) -> World:
        made = world.copy()
        made.left = replace(left, **less)
        change(made)
        return made

    for kind, hear in (("told", World.hear), ("replies", World.hear), ("requests", World.take)):
        waiting = getattr(world, kind)
        for place, item in enumerate(waiting):
            others = waiting[:place] + waiting[place + 1 :]

            def take(made: World, kind: str = kind, others: Any = others) -> None:
                setattr(made, kind, others)

            if kind == "requests" and not item[2]:

                def heed(made: World, others: Any = others, item: Any = item) -> None:
                    made.requests = (*others, (*item[:2], True))
                    made.heed()

                yield after(heed)
            else:
                made = after(take)
                hear(made, item)
                yield made
            if left.losses:
                yield after(take, losses=left.losses - 1)
    if left.acts:
        yield after(lambda made: made.act(*left.acts[0]), acts=left.acts[1:])
    if left.restarts:
        yield after(World.configure, restarts=left.restarts - 1)
    if left.crashes:
        yield after(World.crash, crashes=left.crashes - 1)
    if left.retries and world.mission.request_id and not world.mission.vocabulary:
        yield after(World.send, retries=left.retries - 1)


def wanted(world: World) -> set[frozenset[str]]:
    """Return what the mission may look for in the end.

    What was asked of a detector that is gone, too, where nobody has heard of it, nobody can know:
    that needs a message that was lost, or a scan controller that was gone as well.
    """
    left, first = world.left, world.first
    has_lost = (left.losses, left.crashes) != (first.losses, first.crashes)
    may_miss = [
        is_doubtful or (start < world.starts and has_lost) for start, _, is_doubtful in world.meant
    ]
    return {
        frozenset(after_acts(GOAL, [act for _, act, _ in compress(world.meant, some)]))
        for some in product(*[(True, False) if one else (True,) for one in may_miss])
    }


def check_rest(world: World) -> None:
    """Look at a state in which nothing is on its way."""
    world.come_to_rest()
    found = frozenset(world.mission.asked)
    assert found in wanted(world), (found, wanted(world), world)
    if found:  # else the mission has ended
        assert frozenset(world.words) == found, world


def check(left: Left, *, is_new: bool) -> int:
    """Look at all states that can be reached; return how many there are."""
    first = begun(left, is_new=is_new)
    seen, waiting = {first.key}, [first]
    while waiting:
        world = waiting.pop()
        if not (world.told or world.requests or world.replies or world.left.acts):
            check_rest(world.copy())
        for after in can_follow(world):
            key = after.key
            if key not in seen:
                seen.add(key)
                waiting.append(after)
    return len(seen)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: f"{act[0]} {act[1][0]}")
def test_an_act_holds_while_the_mission_begins(act: Act) -> None:
    assert check(Left((act,)), is_new=True) > 100


@pytest.mark.parametrize("act", [SET, SHOWN], ids=["set", "shown"])
def test_an_act_holds_while_the_mission_begins_and_the_detector_does(act: Act) -> None:
    assert check(Left((act,), restarts=1), is_new=True) > 1000


@pytest.mark.parametrize(
    "acts", list(permutations(ACTS, 3)), ids=lambda acts: "-".join(act[0] for act in acts)
)
def test_acts_that_overtake_each_other_hold(acts: tuple[Act, ...]) -> None:
    assert check(Left(acts, losses=1), is_new=False) > 10


@pytest.mark.parametrize(
    "acts",
    [(SET, SHOWN), (SHOWN, FORGOTTEN), (FORGOTTEN, SHOWN_ELSE), (SHOWN, SET_ELSE)],
    ids=lambda acts: "-".join(act[0] for act in acts),
)
def test_acts_before_and_after_a_crash_of_the_scan_hold(acts: tuple[Act, ...]) -> None:
    assert check(Left(acts, crashes=1), is_new=False) > 1000


@pytest.mark.parametrize("act", [SET, SHOWN, FORGOTTEN], ids=lambda act: act[0])
def test_an_act_holds_while_the_detector_begins_anew(act: Act) -> None:
    assert check(Left((act,), restarts=1), is_new=False) > 100


@pytest.mark.long
@pytest.mark.parametrize(
    "left",
    [
        Left((SET, SHOWN), restarts=1),
        Left((SHOWN, FORGOTTEN), restarts=1),
        Left((SET,), restarts=1, crashes=1),
        Left((SHOWN,), restarts=1, crashes=1),
    ],
    ids=["set-shown", "shown-forgotten", "set crash", "shown crash"],
)
def test_acts_hold_in_all_orders_with_a_detector_that_begins_anew(left: Left) -> None:
    assert check(left, is_new=False) > 10_000


@pytest.mark.parametrize("seed", range(60))
def test_ten_acts_hold_in_a_mission_of_chance(seed: int) -> None:
    chance = random.Random(seed)
    world = begun(Left(tuple(chance.choices(ACTS, k=10)), restarts=2, crashes=2), is_new=False)
    while world.told or world.requests or world.replies or world.left.acts:
        world = chance.choice(list(can_follow(world)))
    check_rest(world)


def test_what_tells_no_acts_loses_one_of_two_that_are_asked_while_the_scan_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check finds what was wrong before each message told them all."""
    tell = World.tell

    def tell_of_before(world: World, cause: str) -> None:
        tell(world, cause)
        shown = world.history.acts[-1].words[0] if cause == "shown" else ""
        world.newest = replace(world.newest, began_ns=0, acts=(), shown=shown)
        world.told = (*world.told[:-1], world.newest)

    monkeypatch.setattr(World, "tell", tell_of_before)
    with pytest.raises(AssertionError):
        check(Left((SET, SHOWN), crashes=1), is_new=False)
