"""decode: hexadecimal in, one JSON object per intact frame out. For people who debug a cable.

    $ echo 'rx 55 66 01 00 00 00 00 0d e8 05' | decode --protocol siyi --direction to_gimbal
    {"command": "request_attitude", "fields": {"cmd_id": "0x0D", ...}, "hex": "55660100..."}

Values are in the wire's own signs and units. What was skipped is told on standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from gimbal_driver_pkg.cli.hextext import HexReader
from gimbal_driver_pkg.cli.streams import protocol_parser, run
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.dialect import Dialect
from gimbal_driver_pkg.protocol.dialects import DIALECTS
from gimbal_driver_pkg.protocol.framing import Deframer


def _decode(dialect: Dialect, direction: Direction) -> int:
    deframer, reader = Deframer(dialect.wire), HexReader()

    def show(frames: list[bytes]) -> None:
        for frame in frames:
            record = dialect.read(frame, direction)
            line = {"command": record.command, "fields": record.fields, "hex": frame.hex()}
            print(json.dumps(line), flush=True)

    for line in sys.stdin:
        show(deframer.feed(reader.feed(line)))
    show(deframer.flush())
    counters = deframer.counters
    print(
        f"{counters.frames} frames, {counters.bad_frames} bad checksums,"
        f" {counters.skipped_bytes} of {counters.received_bytes} bytes skipped",
        file=sys.stderr,
    )
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = protocol_parser("Hexadecimal lines in, one JSON object per intact frame out.")
    parser.add_argument(
        "--direction",
        choices=[direction.value for direction in Direction],
        default=Direction.FROM_GIMBAL.value,
        help="who sent the bytes; default: from_gimbal",
    )
    options = parser.parse_args(arguments)
    return run(lambda: _decode(DIALECTS[options.protocol], Direction(options.direction)))


if __name__ == "__main__":
    sys.exit(main())
