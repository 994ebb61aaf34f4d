"""The recorder's rules: what goes from the ring, from the events, from the queue."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.recorder.core.definitions import full_definition, is_same
from semantic_detection_pkg.recorder.core.events import Event, EventRules, bytes_of, event_name
from semantic_detection_pkg.recorder.core.intake import Intake
from semantic_detection_pkg.recorder.core.ring import RingRules, Segment
from semantic_detection_pkg.recorder.core.topics import Message, OfferedQos, Topic

FRAMES = Topic("/camera", "sensor_msgs/msg/CompressedImage")
SMALL = Topic("/state", "interfaces_pkg/msg/GimbalState")


def segment(number: int, size: int, *, is_shared: bool = False) -> Segment:
    return Segment(number, size, number * 10, number * 10 + 9, {SMALL: 1}, is_shared)


# ------------------------------------------------------------------------------- ring

sizes = st.lists(st.integers(1, 100), max_size=20)


@given(sizes, st.integers(1, 50), st.integers(0, 300), st.integers(0, 50), st.integers(0, 400))
def test_the_ring_lets_the_oldest_go_and_no_more_than_needed(
    kept: list[int], segment_bytes: int, more_budget: int, opened: int, free: int
) -> None:
    rules = RingRules(segment_bytes + more_budget, 20, segment_bytes, 1.0)
    segments = [segment(number, size) for number, size in enumerate(kept, 1)]
    gone = rules.surplus(segments, opened, free)
    assert gone == list(range(1, len(gone) + 1)), "oldest first, without a gap"

    def is_enough(removed: int) -> bool:
        used = sum(kept[removed:]) + max(opened, segment_bytes)
        room = free + sum(kept[:removed])
        wanted = rules.min_free_bytes + max(0, segment_bytes - opened)
        return used <= rules.max_ring_bytes and room >= wanted

    assert is_enough(len(gone)) or len(gone) == len(kept)
    assert not gone or not is_enough(len(gone) - 1), "one more than needed went"


@given(sizes.filter(bool), st.integers(100, 150), st.integers(100, 600))
def test_the_budget_is_never_exceeded_by_more_than_a_segment(
    written: list[int], segment_bytes: int, budget: int
) -> None:
    """Segments are written one after another, each as large as it may become."""
    rules = RingRules(max(budget, segment_bytes), 0, segment_bytes, 1.0)
    kept: list[Segment] = []
    for number, size in enumerate(written, 1):
        gone = set(rules.surplus(kept, 0, 1 << 40))
        kept = [s for s in kept if s.number not in gone]
        assert sum(s.bytes for s in kept) + min(size, segment_bytes) <= rules.max_ring_bytes
        kept.append(segment(number, size))


def test_what_an_event_holds_frees_nothing() -> None:
    rules = RingRules(1000, 100, 10, 1.0)
    held = [segment(1, 50, is_shared=True), segment(2, 50), segment(3, 50)]
    assert rules.surplus(held, 10, 99) == [1, 2]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"max_ring_bytes": 99}, "'max_ring_mb' is 9.9e-05, at least one segment"),
        ({"segment_bytes": 0}, "> 0"),
        ({"segment_duration_s": 0.0}, "> 0"),
        ({"min_free_bytes": -1}, ">= 0"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(change: dict[str, float], text: str) -> None:
    good = {
        "max_ring_bytes": 1000,
        "min_free_bytes": 0,
        "segment_bytes": 100,
        "segment_duration_s": 1.0,
    }
    with pytest.raises(ValueError, match=text):
        RingRules(**{**good, **change})  # type: ignore[arg-type]


def test_a_segment_is_full_by_size_or_age() -> None:
    rules = RingRules(1000, 0, 100, 10.0)
    assert [rules.is_full(*case) for case in ((99, 9.9), (100, 0.0), (0, 10.0))] == [
        False,
        True,
        True,
    ]


# ------------------------------------------------------------------------------- events


def event(number: int, segments: dict[int, int]) -> Event:
    return Event(f"{number:03d}", "x", number, number, number, segments=segments)


@given(
    st.lists(st.dictionaries(st.integers(1, 8), st.integers(1, 50), max_size=4), max_size=8),
    st.integers(1, 200),
)
def test_oldest_events_go_until_the_budget_is_kept(
    contents: list[dict[int, int]], budget: int
) -> None:
    events = [event(number, segments) for number, segments in enumerate(contents)]
    gone = EventRules(budget, 1.0, 1.0).surplus(events)
    rest = events[len(gone) :]
    assert gone == events[: len(gone)]
    assert len(rest) <= 1 or bytes_of(rest) <= budget
    assert bool(rest) == bool(events), "the newest stays"
    assert not gone or bytes_of(events[len(gone) - 1 :]) > budget


def at(number: int, start_s: float, end_s: float) -> Segment:
    return Segment(number, 1, round(start_s * 1e9), round(end_s * 1e9), {SMALL: 1})


def marked(start_s: float, at_s: float, end_s: float, after_number: int) -> Event:
    times = [round(second * 1e9) for second in (at_s, start_s, end_s)]
    return Event("e", "x", *times, after_number=after_number)


def test_an_event_goes_by_time_where_the_clock_does_not_step() -> None:
    ring = [at(n, 100.0 * n, 100.0 * n + 99) for n in range(1, 9)]
    event = marked(320.0, 430.0, 540.0, after_number=3)
    assert [one.number for one in event.wanted(ring)] == [3, 4, 5]
    assert [event.is_past(one.number, one.end_ns) for one in ring] == [False] * 4 + [True] * 4


def test_an_event_ends_where_the_clock_is_set_back_after_it() -> None:
    """Otherwise it waits for an hour, and then keeps what has nothing to do with it."""
    ring = [at(1, 4000, 4009), at(2, 4010, 4019), at(3, 419, 4025)]  # back by an hour within 3
    event = marked(4012.0, 4022.0, 4032.0, after_number=2)
    assert not any(event.is_past(one.number, one.end_ns) for one in ring)
    ring += [at(4, 430, 439), at(5, 4020, 4029)]
    assert [event.is_past(one.number, one.end_ns) for one in ring] == [False] * 3 + [True, False]
    assert [one.number for one in event.wanted(ring[:2])] == [2]


def test_an_event_does_not_keep_what_the_clock_said_the_same_of_before() -> None:
    """An hour back, the ring still holds the same times of an hour ago."""
    ring = [at(1, 400, 409), at(2, 410, 419), at(3, 4000, 4009), at(4, 405, 4015), at(5, 416, 425)]
    event = marked(410.0, 420.0, 430.0, after_number=4)
    assert [one.number for one in event.wanted(ring)] == [4, 5]
    assert [one.number for one in event.wanted([*ring, at(6, 426, 435), at(7, 412, 420)])] == [
        *(4, 5, 6)
    ]


def test_a_leap_of_the_clock_completes_an_event() -> None:
    event = marked(4012.0, 4022.0, 4032.0, after_number=2)
    assert event.is_past(3, round(1e8 * 1e9))


def test_shared_segments_count_once() -> None:
    assert bytes_of([event(1, {1: 10, 2: 20}), event(2, {2: 20, 3: 30})]) == 60


def test_an_events_window() -> None:
    rules = EventRules(1, before_s=10.0, after_s=5.0)
    assert rules.window(100 * 10**9, -1.0, -1.0) == (90 * 10**9, 105 * 10**9)
    assert rules.window(100 * 10**9, 0.0, 0.5) == (100 * 10**9, 100_500_000_000)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            rules.window(0, bad, 0.0)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("tent", "20261123T201500.125Z_tent"),
        ("Two Words/../x", "20261123T201500.125Z_two_words_x"),
        ("", "20261123T201500.125Z_event"),
        ("ö", "20261123T201500.125Z_event"),
        ("a" * 99, "20261123T201500.125Z_" + "a" * 40),
    ],
)
def test_names_of_events_are_file_names(label: str, name: str) -> None:
    assert event_name("20261123T201500.125Z", label) == name
    assert event_name("20261123T201500.125Z", label, [name]) == f"{name}_2"


# ------------------------------------------------------------------------------- queue


def message(topic: Topic, number: int, size: int) -> Message:
    return Message(topic, "", number, number, bytes(size))


offers = st.lists(st.tuples(st.booleans(), st.integers(0, 2000)), max_size=60)


@given(offers, st.integers(1, 6000))
def test_the_queue_is_bounded_and_loses_frames_first(
    offered: list[tuple[bool, int]], capacity: int
) -> None:
    intake = Intake(capacity)
    dropped: list[Message] = []
    sent: list[Message] = []
    for number, (is_frame, size) in enumerate(offered):
        new = message(FRAMES if is_frame else SMALL, number, size)
        sent.append(new)
        frames_before = [m for m in sent if m.topic == FRAMES and m not in dropped and m != new]
        lost = intake.offer(new, is_frame=is_frame)
        if any(m.topic == SMALL for m in lost) and size + 256 <= capacity:
            assert set(map(id, frames_before)) <= set(map(id, lost)), "a frame was kept instead"
        dropped += lost
        assert intake.bytes <= capacity
    taken = intake.drain()
    assert taken == [m for m in sent if m not in dropped], "order of arrival"
    assert (intake.bytes, intake.drain()) == (0, [])


def test_the_newest_frames_give_way() -> None:
    intake = Intake(3 * 1256)
    frames = [message(FRAMES, number, 1000) for number in range(3)]
    assert [intake.offer(frame, is_frame=True) for frame in frames] == [[], [], []]
    late = message(FRAMES, 3, 1000)
    assert intake.offer(late, is_frame=True) == [late]
    small = message(SMALL, 4, 10)
    assert intake.offer(small, is_frame=False) == [frames[2]]
    assert intake.drain() == [*frames[:2], small]
    with pytest.raises(ValueError, match="capacity is 0"):
        Intake(0)


# ------------------------------------------------------------------------------- types

TYPES = {
    "a_pkg/msg/A": "# A\nuint8 LEVEL=1  # b_pkg/X no\nB[] parts\nb_pkg/C[3] c\nstring<=5[<=2] s\n",
    "a_pkg/msg/B": "b_pkg/C c\nfloat64 x 1.5\n",
    "b_pkg/msg/C": "bool ok\n",
}


def test_a_definition_holds_what_it_needs_once() -> None:
    bar = "=" * 80
    assert full_definition("a_pkg/msg/A", TYPES.__getitem__) == (
        f"{TYPES['a_pkg/msg/A']}{bar}\nMSG: a_pkg/B\n{TYPES['a_pkg/msg/B']}"
        f"{bar}\nMSG: b_pkg/C\nbool ok\n"
    )


@pytest.mark.parametrize("by_name", [True, False])
def test_qos_is_read_as_written(by_name: bool) -> None:
    qos = OfferedQos("reliable", "transient_local", "keep_last", 5, deadline_ns=1_500_000_000)
    assert OfferedQos.from_rosbag2(qos.to_rosbag2(by_name=by_name)) == qos
    assert qos.to_rosbag2(by_name=by_name)["deadline"] == {"sec": 1, "nsec": 500_000_000}


@pytest.mark.parametrize("change", [{"history": 99}, {"durability": "forever"}, {"depth": None}])
def test_qos_without_meaning_is_refused(change: dict[str, object]) -> None:
    fields = OfferedQos("reliable", "volatile").to_rosbag2(by_name=True)
    with pytest.raises(ValueError):
        OfferedQos.from_rosbag2({**fields, **change})


def test_definitions_are_the_same_whatever_their_comments() -> None:
    line = "=" * 80
    one = f"#\nint32 a   # why\nB b\n{line}\nMSG: a_pkg/B\nint8 c\n{line}\nMSG: a_pkg/C\nbool d\n"
    other = f"int32 a\nB  b\n{line}\nMSG: a_pkg/C\nbool d # so\n{line}\nMSG: a_pkg/B\nint8 c\n"
    assert is_same(one, other)
    assert not is_same(one, other.replace("int8 c", "int16 c"))
    assert not is_same(one, other.replace("int32 a\n", "int32 a\nint32 more\n"))
