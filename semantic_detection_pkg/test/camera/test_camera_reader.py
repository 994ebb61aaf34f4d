"""The reading thread: newest frame, numbering, reconnecting, the end. Waits only for conditions."""

import itertools
import os
import signal
import threading
from collections.abc import Callable

import pytest
from patience import patience, wait_until

from ros_support_pkg.core.backoff import Backoff
from semantic_detection_pkg.camera.reader import LatestFrameReader
from semantic_detection_pkg.camera.sources.pacing import Pacing
from semantic_detection_pkg.camera.sources.source import Shot
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError
from simulation_pkg.fakes.camera import FakeCamera

S = 1_000_000_000
LONG_S = patience(20.0)
FREE = Pacing()  # as fast as it reads, dropping what nobody takes


def camera(frames: int | None = None, pacing: Pacing | None = None, clock=None) -> FakeCamera:
    ticks = itertools.count(1)
    return FakeCamera(frames=frames, pacing=pacing, clock_ns=clock or (lambda: next(ticks)))


class Pauses:
    """Instead of waiting: remembers how long, and may do something after so many pauses."""

    def __init__(self, then: dict[int, Callable[[], None]] | None = None) -> None:
        self.seconds: list[float] = []
        self._then = then or {}

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._then.get(len(self.seconds), lambda: None)()


def test_as_fast_as_consumed_drops_nothing():
    with LatestFrameReader(camera(frames=50).open) as reader:
        frames = list(iter(lambda: reader.next_frame(LONG_S), None))

    assert [frame.sequence for frame in frames] == list(range(50))
    assert [frame.image[0, 0, 0] for frame in frames] == list(range(50))
    assert (reader.status.frames, reader.status.dropped) == (50, 0)
    assert reader.status.has_ended


def test_the_newest_frame_wins_and_drops_are_counted():
    with LatestFrameReader(camera(frames=50, pacing=FREE).open) as reader:
        wait_until(lambda: reader.status.has_ended)
        frame = reader.next_frame(LONG_S)

        assert frame is not None
        assert frame.sequence == 49
        assert reader.status.dropped == 49
        assert reader.next_frame(LONG_S) is None


def test_take_gives_up_after_the_timeout():
    source = camera()
    source.is_running.clear()
    with LatestFrameReader(source.open) as reader:
        assert reader.next_frame(0.0) is None
        source.is_running.set()
        assert reader.next_frame(LONG_S) is not None


@pytest.mark.parametrize("clock", [lambda: 1000, itertools.count(1000, -7).__next__])
def test_stamps_strictly_increase_even_if_the_clock_does_not(clock):
    with LatestFrameReader(camera(frames=10, clock=clock).open) as reader:
        stamps = [frame.stamp_ns for frame in iter(lambda: reader.next_frame(LONG_S), None)]

    assert stamps == list(range(1000, 1010))


@pytest.mark.parametrize("fall_s", [0.6, 5.0, 3600.0])
def test_a_clock_that_was_set_back_is_followed(fall_s):
    """Corrected by 1 ns a frame its stamps would stand still until it has caught up."""
    before = [10_000 * S + n * S // 10 for n in range(4)]
    after = [round(before[-1] + (n + 1) * S // 10 - fall_s * S) for n in range(4)]
    source = camera(frames=8, clock=iter([*before, *after]).__next__)
    with LatestFrameReader(source.open) as reader:
        stamps = [frame.stamp_ns for frame in iter(lambda: reader.next_frame(LONG_S), None)]
    assert stamps == before + after


def test_a_file_keeps_its_rate():
    """A period of 1/4 s, 1/8 of which passes with reading; the clock moves only when told."""
    now_s = 0.0

    def clock() -> float:
        return now_s

    def stamp() -> int:
        nonlocal now_s
        now_s += 0.125
        return int(now_s * 1e9)

    def pause(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    source = camera(frames=5, pacing=Pacing(period_s=0.25, waits_for_consumer=True), clock=stamp)
    with LatestFrameReader(source.open, clock=clock, pause=pause) as reader:
        stamps = [frame.stamp_ns for frame in iter(lambda: reader.next_frame(LONG_S), None)]

    assert [b - a for a, b in itertools.pairwise(stamps)] == [250_000_000] * 4


def test_a_reader_that_fell_behind_does_not_race():
    """The third picture takes 10 s; those after it keep their distance all the same."""
    now_s = 0.0
    pauses = []

    def stamp() -> int:
        nonlocal now_s
        now_s += 10.0 if len(pauses) == 2 else 0.0
        return int(now_s * 1e9)

    def pause(seconds: float) -> None:
        nonlocal now_s
        pauses.append(seconds)
        now_s += seconds

    source = camera(frames=5, pacing=Pacing(period_s=0.25), clock=stamp)
    with LatestFrameReader(source.open, clock=lambda: now_s, pause=pause) as reader:
        wait_until(lambda: reader.status.has_ended)

    assert pauses == [0.25, 0.25, 0.0, 0.25, 0.25]


def flaky(openings: list[int | None]) -> Callable[[], FakeCamera]:
    """Opens a camera that is lost after so many frames; None: cannot be opened; then one ends."""
    script = iter(openings)

    class Flaky(FakeCamera):
        def read(self) -> Shot | None:
            shot = super().read()
            if shot is None:
                raise SourceLostError("fake: unplugged")
            return shot

    def open_next() -> FakeCamera:
        frames = next(script, 0)
        if frames is None:
            raise SourceLostError("fake: cannot be opened")
        ends = FakeCamera(frames=0, clock_ns=lambda: 0)
        return Flaky(frames=frames, clock_ns=lambda: 0) if frames else ends

    return open_next


def test_a_lost_camera_is_opened_again_with_pauses_that_grow_until_a_frame_arrives():
    pauses = Pauses()
    openings = [1, None, None, None, 2, None, 1]
    with LatestFrameReader(flaky(openings), backoff=Backoff(0.5, 2.0), pause=pauses) as reader:
        frames = list(iter(lambda: reader.next_frame(LONG_S), None))

    assert pauses.seconds == [0.5, 1.0, 2.0, 2.0] + [0.5, 1.0] + [0.5]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3]
    assert [frame.stamp_ns for frame in frames] == [0, 1, 2, 3]
    assert reader.status.reconnects == 3  # the last of which ended
    assert reader.status.last_error == "fake: unplugged"


def test_a_camera_that_opens_but_never_delivers_is_not_hammered():
    class Mute(FakeCamera):
        def read(self):
            raise SourceLostError("mute: no frame arrived")

    source = Mute(clock_ns=lambda: 0)
    enough = threading.Event()
    pauses = Pauses({5: enough.set})
    with LatestFrameReader(source.open, backoff=Backoff(1.0, 100.0), pause=pauses) as reader:
        assert enough.wait(LONG_S)
        reader.stop(LONG_S)

    assert pauses.seconds[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_camera_that_is_missing_at_the_start_may_come():
    source = camera()
    source.is_gone = True
    pauses = Pauses({3: lambda: setattr(source, "is_gone", False)})

    with LatestFrameReader(source.open, pause=pauses) as reader:
        assert reader.next_frame(LONG_S) is not None


def test_a_camera_that_can_never_work_is_refused_at_the_start():
    def refuse() -> FakeCamera:
        raise ConfigurationError("images:x: is not a folder")

    reader = LatestFrameReader(refuse)
    with pytest.raises(ConfigurationError, match="is not a folder"):
        reader.start()
    assert reader.stop()


def test_a_driver_that_hangs_when_it_is_opened_does_not_hold_who_interrupts():
    """The signal arrives while `start` waits: in a driver's own code it would wait for that."""
    may_go_on = threading.Event()

    def hang() -> FakeCamera:
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        may_go_on.wait()
        return camera(frames=0)

    reader = LatestFrameReader(hang)
    with pytest.raises(KeyboardInterrupt):
        reader.start()
    may_go_on.set()
    assert reader.stop(LONG_S)


def test_a_source_found_unusable_while_running_ends_with_the_reason():
    class Broken(FakeCamera):
        def read(self):
            raise ConfigurationError("images:x: none of its pictures can be decoded")

    with LatestFrameReader(Broken(clock_ns=lambda: 0).open) as reader:
        assert reader.next_frame(LONG_S) is None
        assert reader.status.has_ended
        assert reader.status.last_error == "images:x: none of its pictures can be decoded"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_a_source_does_not_leave_anybody_waiting():
    class Defective(FakeCamera):
        def read(self):
            raise ZeroDivisionError("oops")

    source = Defective(clock_ns=lambda: 0)
    with LatestFrameReader(source.open) as reader:
        assert reader.next_frame(LONG_S) is None
        assert "ZeroDivisionError('oops')" in reader.status.last_error
    assert source.closed == 1


def test_a_bad_picture_is_counted_and_skipped():
    source = camera()
    source.is_bad = True
    with LatestFrameReader(source.open) as reader:
        wait_until(lambda: reader.status.bad >= 2)
        source.is_bad = False
        frame = reader.next_frame(LONG_S)

        assert frame is not None
        assert frame.sequence == 0
        assert "fake:64x48: image: float32 (48, 64, 3) must be uint8" in reader.status.last_error


def test_stop_closes_the_camera_and_wakes_who_waits():
    source = camera(pacing=FREE)
    source.is_running.clear()
    reader = LatestFrameReader(source.open).start()
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(reader.next_frame()))
    waiting.start()

    assert not reader.stop(timeout_s=0.0)  # the device hangs in a read
    source.is_running.set()

    assert reader.stop(LONG_S)
    waiting.join(LONG_S)
    assert not waiting.is_alive()
    assert source.closed == 1
    assert reader.stop()
    assert not reader.status.is_connected
