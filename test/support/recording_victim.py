"""A process that records until it is killed, for tests of what survives.

Reads lines `FOLDER FLUSH_S SEGMENT_BYTES` on standard input; for each it waits for the end of the
child before, forks one that records counted messages into FOLDER, and prints its pid. The child
tells in FOLDER/told.bin how many messages the recorder says the kernel has, and since when.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from pathlib import Path

from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message, OfferedQos, Topic
from semantic_detection_pkg.recorder.storage.recorder import Recorder
from semantic_detection_pkg.recorder.storage.session import SessionSettings

TOLD = struct.Struct("<QQ")
TOPIC = Topic("/counted", "std_msgs/msg/UInt64", "", (OfferedQos("reliable", "volatile"),))
_PAYLOAD = os.urandom(2_000)
_PERIOD_S = 0.002


def settings(flush_s: float, segment_bytes: int) -> SessionSettings:
    rules = RingRules(1 << 30, 0, segment_bytes, 60.0)
    return SessionSettings(rules, EventRules(1 << 30, 1.0, 1.0), flush_s=flush_s)


def number_in(data: bytes) -> int:
    """Number of a message: CDR of a UInt64, with bytes behind it that its readers ignore."""
    return int(struct.unpack_from("<Q", data, 4)[0])


def record(folder: Path, flush_s: float, segment_bytes: int) -> None:
    """Record until the end of this process."""
    told = (folder / "told.bin").open("w+b")
    told.write(bytes(TOLD.size))
    told.flush()
    shared = mmap.mmap(told.fileno(), TOLD.size)
    recorder = Recorder(
        folder,
        settings(flush_s, segment_bytes),
        1 << 26,
        rows_of=lambda message: [("gimbal", {"n": number_in(message.data)})],
    )
    recorder.start()
    number = 0
    first_ns = time.time_ns()
    while True:
        now_ns = time.time_ns()
        data = b"\x00\x01\x00\x00" + struct.pack("<Q", number) + _PAYLOAD
        recorder.offer(Message(TOPIC, "uint64 data\n", now_ns, now_ns, data), is_frame=False)
        number += 1
        TOLD.pack_into(shared, 0, recorder.state.written, first_ns)
        time.sleep(_PERIOD_S)


def main() -> None:
    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)
        folder, flush_s, segment_bytes = line.split()
        child = os.fork()
        if child == 0:
            record(Path(folder), float(flush_s), int(segment_bytes))
        print(child, flush=True)  # noqa: T201 - its product


if __name__ == "__main__":
    main()
