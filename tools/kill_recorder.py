"""Kill the recorder at random moments while findings come, and count what is without an event.

    python tools/kill_recorder.py --rounds 200      # or `make faults ARGS="--only recorder"`

Each round starts the recorder node and ends it by SIGKILL a random time later, often before it is
open. A process of its own sends pictures and findings all the while; every few rounds it is killed
in the same moment, as a power cut does. At the end the recorder runs once more, and every confirmed
finding that its sender still tells of, or that was recorded, must have an event whose files can be
read. Exit status: 0 none is without, 1 some are.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rclpy
from ament_index_python.packages import get_package_prefix
from patience import wait_until
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from ros_graph import ON_THIS_MACHINE
from sensor_msgs.msg import CompressedImage

from interfaces_pkg.msg import Finding
from ros_support_pkg.qos import RECORD, VIEW
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    messages_of,
    read_segment,
)

PACKAGE = "semantic_detection_pkg"
_PERIOD_S = 0.1
_FINDING_S = (0.3, 2.0)  # from one to the next
_PICTURE_BYTES = 20_000
_SETTLE_S = 60.0  # for what is waited for, on the reference machine
_EARLY_SHARE = 0.4  # of the rounds: killed perhaps before it is open
_LAST_FINDINGS = 3
_LAST_RUNS = 3


class Sender(Node):
    """Pictures, and findings that become confirmed; each confirmed id is a line on the output."""

    def __init__(self, name: str) -> None:
        super().__init__("sender")
        self._name = name
        self._pictures = self.create_publisher(CompressedImage, "camera/image_raw/compressed", VIEW)
        self._findings = self.create_publisher(Finding, "findings", RECORD)

    def run(self, random_: random.Random) -> None:
        number, next_s = 0, 0.0
        picture = CompressedImage(format="jpeg")
        picture.data = array.array("B", random_.randbytes(_PICTURE_BYTES))
        while rclpy.ok():
            picture.header.stamp = self.get_clock().now().to_msg()
            self._pictures.publish(picture)
            now_s = time.monotonic()
            if now_s >= next_s:
                next_s = now_s + random_.uniform(*_FINDING_S)
                number += 1
                self._confirm(f"{self._name}-{number}")
            time.sleep(_PERIOD_S)

    def _confirm(self, finding_id: str) -> None:
        finding = Finding(id=finding_id, class_name="tent", track_id=1)
        for revision, state in ((1, Finding.STATE_CANDIDATE), (2, Finding.STATE_CONFIRMED)):
            finding.revision, finding.state = revision, state
            finding.header.stamp = self.get_clock().now().to_msg()
            self._findings.publish(finding)
        print(finding_id, flush=True)


class Mission:
    """The sender's process and the ids that it has confirmed."""

    def __init__(self, name: str, seed: int) -> None:
        command = [sys.executable, __file__, "--send", name, "--seed", str(seed)]
        self.confirmed: list[str] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.confirmed.append(line.strip())

    def kill(self) -> None:
        """End it at once; what it sent nobody sends again."""
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextlib.contextmanager
def recorder(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the recorder node."""
    parameters = {
        "output_dir": folder,
        "min_free_mb": 0,
        "segment_mb": 1,
        "segment_duration_s": 2.0,
        "before_s": 2.0,
        "after_s": 1.0,
    }
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    program = Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / "recorder"
    process = subprocess.Popen([str(program), "--ros-args", *words], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def is_recording(folder: Path, since_ns: int) -> bool:
    """Whether a segment was begun since a time [ns]."""
    parts = (folder / "ring").glob("ring_*.mcap.part")
    with contextlib.suppress(OSError):
        return any(path.stat().st_mtime_ns > since_ns for path in parts)
    return False


def events_of(folder: Path) -> dict[str, Path]:
    """Folder of each finding's event, by id."""
    found = {}
    for path in (folder / "events").glob("[!.]*/event.json"):
        fields = json.loads(path.read_text())
        found.update(dict.fromkeys(fields["findings"], path.parent))
    return found


def recorded_ids(folder: Path) -> set[str]:
    """Ids of the confirmed findings in finished segments of the ring."""
    ids: set[str] = set()
    for path in (folder / "ring").glob("ring_*.mcap"):
        for message in messages_of(path, ["/findings"]):
            finding = deserialize_message(message.data, Finding)
            ids |= {finding.id} if finding.state == Finding.STATE_CONFIRMED else set()
    return ids


def is_whole(event: Path, finding_id: str) -> bool:
    """Whether an event's finding and all segments that it names can be read."""
    try:
        kept = [
            deserialize_message(one.data, Finding)
            for one in messages_of(event / "finding.mcap", ["/findings"])
        ]
        segments = json.loads((event / "event.json").read_text())["segments"]
        for number in segments:
            read_segment(event / "bag" / f"ring_{int(number):07d}.mcap", int(number))
    except (OSError, UnfinishedSegmentError):
        return False
    return [one.id for one in kept] == [finding_id]


@dataclass(frozen=True)
class Tally:
    """What came of the rounds; findings go by their ids.

    Attributes:
        told: confirmed by the last sender, which tells of them still.
        orphans: confirmed by senders that were killed.
        recorded: confirmed, and in finished segments.
        events: how many there are.
        bare: how many of those have no pictures.
        without: findings of `told` and `recorded` that no event names.
        broken: findings whose event cannot be read.
        lost: names of finished segments that are gone.
        unheard: how many died with their sender before the recorder had them on the disk.
        took_s: from the first round on.
    """

    told: Sequence[str]
    orphans: Sequence[str]
    recorded: frozenset[str]
    events: int
    bare: int
    without: Sequence[str]
    broken: Sequence[str]
    lost: Sequence[str]
    unheard: int
    took_s: float

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.without or self.broken or self.lost)

    def lines(self) -> list[str]:
        """Return the figures in words."""
        return [
            f"{len(self.told)} confirmed findings of the last sender, {len(self.orphans)} of "
            f"killed ones, {len(self.recorded)} of all recorded, in {self.took_s:.0f} s",
            f"{self.events} events, {self.bare} of them without pictures",
            f"{len(self.without)} confirmed findings without an event "
            f"{' '.join(self.without)}".rstrip(),
            f"{len(self.broken)} events that cannot be read {' '.join(self.broken)}".rstrip(),
            f"{len(self.lost)} finished segments lost {' '.join(self.lost)}".rstrip(),
            f"{self.unheard} findings died with their sender before the recorder had them on the "
            "disk",
        ]


def rounds(folder: Path, count: int, seed: int, longest_s: float) -> Tally:
    """Kill and count.

    Args:
        longest_s: until the recorder is killed, at the most.
    """
    random_ = random.Random(seed)
    mission = Mission("m0", seed)
    orphans: list[str] = []  # confirmed by senders that were killed
    finished: set[str] = set()
    started_s = time.monotonic()
    for number in range(1, count + 1):
        started_ns = time.time_ns()
        with recorder(folder) as process:
            if random_.random() >= _EARLY_SHARE:
                wait_until(partial(is_recording, folder, started_ns), "recording", _SETTLE_S)
            time.sleep(random_.uniform(0.0, longest_s))
            process.send_signal(signal.SIGKILL)
            if number % 5 == 0:
                mission.kill()
        finished |= {path.name for path in (folder / "ring").glob("ring_*.mcap")}
        if number % 5 == 0:
            orphans += mission.confirmed
            mission = Mission(f"m{number}", seed + number)
        print(f"round {number}: {len(events_of(folder))} events", flush=True)
    wait_until(lambda: len(mission.confirmed) >= _LAST_FINDINGS, "findings", _SETTLE_S)
    told = list(mission.confirmed)
    for _ in range(_LAST_RUNS):
        with recorder(folder) as process:
            with contextlib.suppress(AssertionError):  # what is missing is counted
                wait_until(lambda: set(told) <= events_of(folder).keys(), "events", _SETTLE_S)
            process.send_signal(signal.SIGINT)
            process.wait()
        if not any((folder / "ring").glob("*.part")):
            break  # else the node's own deadline has cut its end
    mission.kill()
    return tally(folder, told, orphans, finished, time.monotonic() - started_s)


def tally(
    folder: Path, told: Sequence[str], orphans: Sequence[str], finished: set[str], took_s: float
) -> Tally:
    """Look at what is on the disk."""
    events, recorded = events_of(folder), recorded_ids(folder)
    wanted = {*told, *recorded}
    bare = [path for path in events.values() if _has_no_recording(path)]
    return Tally(
        told,
        orphans,
        frozenset(recorded),
        len(events),
        len(bare),
        without=sorted(wanted - events.keys()),
        broken=sorted(one for one in wanted & events.keys() if not is_whole(events[one], one)),
        lost=sorted(name for name in finished if not (folder / "ring" / name).exists()),
        unheard=len(set(orphans) - recorded - events.keys()),
        took_s=took_s,
    )


def _has_no_recording(event: Path) -> bool:
    return bool(json.loads((event / "event.json").read_text())["no_recording"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--longest-s", type=float, default=3.0, help="[s] before it is killed")
    parser.add_argument("--folder", type=Path, help="of the recordings; default: a temporary one")
    parser.add_argument("--send", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(ON_THIS_MACHINE)
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    if options.send:
        rclpy.init()
        Sender(options.send).run(random.Random(options.seed))
        return 0
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        done = rounds(folder / "recordings", options.rounds, options.seed, options.longest_s)
    print("\n".join(done.lines()))
    return 0 if done.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
