"""Frames over iceoryx2: views instead of copies, nobody waits, the dead leave nothing behind."""

import itertools
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from patience import patience

from semantic_detection_pkg.camera.core.settings import FRAMES_HELD_MAX
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import ConfigurationError, FrameError

pytest.importorskip(
    "iceoryx2",
    reason="iceoryx2 is missing: PyPI has no wheel for this machine, its source needs Rust",
)

from semantic_detection_pkg.camera.transport import shared_memory
from semantic_detection_pkg.camera.transport.shared_memory import (
    SharedMemoryReader,
    SharedMemoryWriter,
)

TIMEOUT_S = patience(10.0)
TOPIC = "/camera/frames"
#: Parallel test processes have domains of their own.
DOMAINS = itertools.count(1000 * os.getpid())


@pytest.fixture
def domain() -> Iterator[int]:
    """A domain of the test's own, which it leaves without files."""
    number = next(DOMAINS)
    yield number
    assert leftovers(number) == []


def leftovers(domain: int) -> list[Path]:
    """Files of a domain, but for the sixteen bytes that iceoryx2 leaves; those are removed here."""
    found = list(Path("/dev/shm").rglob(f"frames{domain}_*"))
    for path in found:
        if path.suffix == ".global_mgmt":
            path.unlink()
    return [path for path in found if path.suffix != ".global_mgmt"]


@pytest.fixture
def writer(domain: int) -> Iterator[SharedMemoryWriter]:
    writer = SharedMemoryWriter(domain, TOPIC)
    yield writer
    writer.close()


@pytest.fixture
def reader(domain: int, writer: SharedMemoryWriter) -> Iterator[SharedMemoryReader]:
    reader = SharedMemoryReader(domain, TOPIC)
    yield reader
    reader.close()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def filled(writer: SharedMemoryWriter, image: np.ndarray) -> np.ndarray:
    """The picture in the writer's own memory."""
    memory = writer.allocate(*image.shape[:2])
    np.copyto(memory, image)
    return memory


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 47), (48, 64), (1080, 1920), (2161, 3841)])
def test_pictures_of_any_size_arrive_as_they_are(writer, reader, size) -> None:
    sent = picture(*size)
    for number, image in enumerate((sent, filled(writer, sent))):
        writer.send(Frame(123_456_789_012, number, image, "optical", captured_ns=number * 77))
        frame = reader.receive(TIMEOUT_S)
        assert frame.captured_ns == number * 77
        assert (frame.stamp_ns, frame.sequence, frame.frame_id) == (
            123_456_789_012,
            number,
            "optical",
        )
        assert np.array_equal(frame.image, sent)
        assert not frame.image.flags.writeable


def test_a_wait_that_a_signal_interrupts_goes_on(writer, reader, monkeypatch) -> None:
    """As after SIGSTOP and SIGCONT: the kernel ends the wait by EINTR, iceoryx2 passes it on."""
    waits = threading.Semaphore(0)
    received: list[Frame | Exception] = []
    from_secs = shared_memory.iox.Duration.from_secs_f64

    def counted(seconds: float) -> object:
        waits.release()
        return from_secs(seconds)

    monkeypatch.setattr(
        shared_memory.iox, "Duration", SimpleNamespace(from_secs_f64=counted), raising=True
    )

    def listen() -> None:
        try:
            received.append(reader.receive(TIMEOUT_S))
        except Exception as error:
            received.append(error)

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    thread = threading.Thread(target=listen)
    try:
        thread.start()
        assert waits.acquire(timeout=TIMEOUT_S)
        # Once into the wait itself at least: who began it again was interrupted.
        while thread.is_alive() and not waits.acquire(timeout=patience(0.01)):
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
        writer.send(Frame(1, 0, picture(4, 4)))
        thread.join(TIMEOUT_S)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [frame.stamp_ns for frame in received] == [1]


def test_odd_memory_layouts_are_sent(writer, reader) -> None:
    wide = picture(20, 30)
    for number, image in enumerate((wide[::2, 5:], wide[:, ::-1], np.asfortranarray(wide))):
        writer.send(Frame(1 + number, number, image))
        assert np.array_equal(reader.receive(TIMEOUT_S).image, image)


def test_what_is_written_in_lent_memory_is_not_copied(writer, reader) -> None:
    own, lent = picture(8, 8), filled(writer, picture(8, 8))
    for number, (image, is_shared) in enumerate(((own, False), (lent, True))):
        writer.send(Frame(1 + number, number, image))
        received = reader.receive(TIMEOUT_S).image
        image[0, 0] = ~image[0, 0]
        assert np.array_equal(received, image) == is_shared


def test_a_part_of_lent_memory_is_copied(writer, reader) -> None:
    """The address alone does not make it the lent picture."""
    lent = filled(writer, picture(8, 8))
    writer.send(Frame(1, 0, lent[:4]))
    assert np.array_equal(reader.receive(TIMEOUT_S).image, lent[:4])
    writer.send(Frame(2, 1, lent))
    assert np.array_equal(reader.receive(TIMEOUT_S).image, lent)


def test_lent_memory_that_is_dropped_goes_back(writer, reader) -> None:
    for number in range(200):
        writer.allocate(48, 64)
        memory = filled(writer, picture(48, 64, number))
    writer.send(Frame(1, 0, memory))
    assert np.array_equal(reader.receive(TIMEOUT_S).image, picture(48, 64, number))


def test_a_camera_that_keeps_all_it_was_lent_loses_frames_only(writer, reader) -> None:
    lent = [filled(writer, picture(4, 4)) for _ in range(20)]
    with pytest.raises(FrameError, match="no memory for a picture"):
        writer.send(Frame(2, 1, picture(4, 4)))  # nowhere to copy it to
    del lent
    writer.send(Frame(3, 2, picture(4, 4)))
    assert reader.receive(TIMEOUT_S).stamp_ns == 3


def test_a_slow_reader_gets_the_newest_and_the_writer_never_waits(writer, reader) -> None:
    for number in range(50):
        writer.send(Frame(1 + number, number, picture(4, 4, number)))
        if number == 0:
            assert reader.receive(TIMEOUT_S).sequence == 0
    assert reader.receive(TIMEOUT_S).sequence == 49
    assert reader.dropped == 48
    assert reader.receive(0.0) is None


def test_kept_frames_stay_as_they_were(writer, reader) -> None:
    kept = []
    for number in range(3 * FRAMES_HELD_MAX):
        writer.send(Frame(1 + number, number, picture(6, 6, number)))
        kept.append(reader.receive(TIMEOUT_S))
        del kept[:-FRAMES_HELD_MAX]
    for frame in kept:
        assert np.array_equal(frame.image, picture(6, 6, frame.sequence))


def test_who_keeps_too_many_is_told_and_gets_more_when_he_lets_go(writer, reader) -> None:
    kept = []

    def keep_all() -> None:
        for number in range(FRAMES_HELD_MAX + 5):
            writer.send(Frame(1 + number, number, picture(4, 4)))
            kept.append(reader.receive(TIMEOUT_S))

    with pytest.raises(FrameError, match=f"{FRAMES_HELD_MAX} or more are kept"):
        keep_all()
    assert len(kept) > FRAMES_HELD_MAX
    kept.clear()
    writer.send(Frame(999, 999, picture(4, 4)))
    assert reader.receive(TIMEOUT_S).sequence == 999


def test_a_sent_frame_may_be_read_until_the_next_one_is_sent(writer) -> None:
    """Nobody listens, and the camera's next pictures must not be written over it."""
    sent = filled(writer, picture(32, 32))
    writer.send(Frame(1, 0, sent))
    others = [filled(writer, picture(32, 32, 1 + seed)) for seed in range(3)]
    assert np.array_equal(sent, picture(32, 32))
    assert len(others) == 3


def test_what_was_sent_before_is_stale(writer, domain) -> None:
    writer.send(Frame(1, 0, picture(4, 4)))
    late = SharedMemoryReader(domain, TOPIC)
    assert late.receive(0.0) is None
    writer.send(Frame(2, 1, picture(4, 4)))
    assert late.receive(TIMEOUT_S).sequence == 1
    late.close()


def test_domains_and_topics_do_not_hear_each_other(writer, reader, domain) -> None:
    other_domain, elsewhere = next(DOMAINS), "/robot2/camera/frames"
    strangers = [SharedMemoryReader(other_domain, TOPIC), SharedMemoryReader(domain, elsewhere)]
    writer.send(Frame(1, 0, picture(4, 4)))
    assert reader.receive(TIMEOUT_S) is not None
    for stranger in strangers:
        assert stranger.receive(0.0) is None
        stranger.close()
    assert leftovers(other_domain) == []


def test_interrupt_ends_a_wait(reader) -> None:
    reader.interrupt()
    assert reader.receive(TIMEOUT_S) is None


def test_two_cameras_on_one_topic_are_refused(writer, domain) -> None:
    with pytest.raises(ConfigurationError, match="another camera sends there; one is allowed"):
        SharedMemoryWriter(domain, TOPIC)


def test_a_folder_that_cannot_be_used_is_named(domain, tmp_path, monkeypatch) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setattr(shared_memory, "ROOT", f"{blocked}/")
    for end in (SharedMemoryWriter, SharedMemoryReader):
        with pytest.raises(ConfigurationError, match=r"must belong to this user.*'image'"):
            end(domain, TOPIC)


def test_memory_that_does_not_suffice_is_refused_in_time(writer, monkeypatch) -> None:
    """Beyond the end of /dev/shm the system would end the process."""
    monkeypatch.setattr(
        shared_memory.os, "statvfs", lambda _: SimpleNamespace(f_bavail=16_000, f_frsize=4096)
    )
    with pytest.raises(FrameError, match=r"/dev/shm has 65 MB free, pictures of 6220800 bytes"):
        writer.send(Frame(1, 0, picture(1080, 1920)))
    assert writer.allocate(1080, 1920).shape == (1080, 1920, 3)
    writer.send(Frame(2, 1, picture(480, 640)))


def test_a_frame_id_that_is_too_long_is_refused(writer, reader) -> None:
    with pytest.raises(FrameError, match="frame id of 128 bytes, at most 127 are allowed"):
        writer.send(Frame(1, 0, picture(4, 4), "é" * 64))
    writer.send(Frame(2, 1, picture(4, 4), "x" * 127))
    assert reader.receive(TIMEOUT_S).frame_id == "x" * 127


CHILDREN = {
    "writer": """
from semantic_detection_pkg.common.core.frame import Frame
import itertools, numpy as np, time
end = transport.SharedMemoryWriter(domain, topic)
print("ready", flush=True)
for number in itertools.count():
    image = end.allocate(64, 64)
    image[:] = 7
    end.send(Frame(1 + number, number, image))
    time.sleep(0.002)
""",
    "reader": """
end = transport.SharedMemoryReader(domain, topic)
print("ready", flush=True)
kept = [end.receive(3600.0) for _ in range(3)]
print("full", flush=True)
end.receive(3600.0)
while True:
    pass
""",
}


WORKSPACE = Path(__file__).resolve().parents[3]
#: A process that sees its own /tmp and the /dev/shm of all, as a container with `ipc: host` does.
OWN_TMP = (
    *("unshare", "--user", "--map-root-user", "--mount"),
    *("sh", "-c"),
    # The workspace stays where it is, also below /tmp.
    'mount --bind "$0" /mnt && mount -t tmpfs none /tmp && '
    'mkdir -p "$0" && mount --bind /mnt "$0" && exec "$@"',
    str(WORKSPACE),
)


@pytest.fixture
def child(domain: int) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a process that writes or reads until it is killed."""
    children = []

    def start(role: str, before: Sequence[str] = ()) -> subprocess.Popen:
        head = (
            "from semantic_detection_pkg.camera.transport import shared_memory as transport\n"
            f"domain, topic = {domain}, {TOPIC!r}\n"
        )
        command = [*before, sys.executable, "-c", head + CHILDREN[role]]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert children[-1].stdout.readline() == "ready\n"
        return children[-1]

    yield start
    for process in children:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_camera_makes_room_for_the_next(child, domain) -> None:
    reader = SharedMemoryReader(domain, TOPIC)
    for _ in range(2):
        camera = child("writer")
        frame = reader.receive(TIMEOUT_S)
        assert np.all(frame.image == 7)
        camera.kill()
        camera.wait()
        assert np.all(frame.image == 7)  # a view outlives who wrote it
    while reader.receive(0.0) is not None:
        pass
    del frame
    reader.close()
    SharedMemoryReader(domain, TOPIC).close()  # whoever starts next cleans up


@pytest.mark.skipif(
    subprocess.run([*OWN_TMP, "true"], capture_output=True, check=False).returncode != 0,
    reason="unshare: user namespaces are not allowed on this machine",
)
def test_what_a_killed_container_left_its_successor_removes(child, domain) -> None:
    """A new container has a new /tmp, but the same shared memory."""
    assert Path(shared_memory.ROOT).is_relative_to("/dev/shm")
    camera = child("writer", OWN_TMP)
    camera.kill()
    camera.wait()
    assert leftovers(domain), "a killed camera leaves its pictures"
    successor = child("writer", OWN_TMP)
    reader = SharedMemoryReader(domain, TOPIC)
    assert np.all(reader.receive(TIMEOUT_S).image == 7)
    successor.kill()
    successor.wait()
    reader.close()
    SharedMemoryReader(domain, TOPIC).close()


def test_stopped_and_killed_readers_cost_the_camera_nothing(writer, child, domain) -> None:
    """They keep frames and a full queue; the writer still has room and another reader is served."""
    victims = [child("reader") for _ in range(2)]
    reader = SharedMemoryReader(domain, TOPIC)
    number = 0

    def send(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            writer.send(Frame(number, number, filled(writer, picture(4, 4, number))))
            assert reader.receive(TIMEOUT_S).sequence == number

    for victim in victims:
        while not select.select([victim.stdout], [], [], 0.0)[0]:
            send(1)
        assert victim.stdout.readline() == "full\n"
    send(20)
    victims[0].send_signal(signal.SIGSTOP)
    victims[1].kill()
    victims[1].wait()
    send(200)
    reader.close()
    victims[0].kill()
    victims[0].wait()
    SharedMemoryReader(domain, TOPIC).close()
