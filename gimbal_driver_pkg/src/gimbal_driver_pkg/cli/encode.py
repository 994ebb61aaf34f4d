"""encode: the inverse of decode. JSON objects in, one a line; one frame in hexadecimal a line out.

    $ echo '{"command": "set_angles", "fields": {"yaw_deg_wire": -60.5}}' | encode --protocol siyi
    556601040000000ea3fd00004117

Fields that are not given are zero; `data`, the payload in hexadecimal, is what the others are
painted over. A line that cannot be encoded is told on standard error, and the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from gimbal_driver_pkg.cli.streams import protocol_parser, run
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.dialect import Dialect
from gimbal_driver_pkg.protocol.dialects import DIALECTS


def _frame(dialect: Dialect, line: str) -> bytes:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InvalidValueError(f"not JSON: {error}") from None
    if not (isinstance(record, dict) and isinstance(record.get("command"), str)):
        raise InvalidValueError('allowed is {"command": "...", "fields": {...}}')
    fields = record.get("fields", {})
    if not isinstance(fields, dict):
        raise InvalidValueError(f"fields: {fields!r}, allowed is an object")
    return dialect.write(record["command"], fields)


def _encode(dialect: Dialect) -> int:
    status = 0
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            print(_frame(dialect, line).hex(), flush=True)
        except InvalidValueError as error:
            print(f"line {number}: {error}", file=sys.stderr)
            status = 1
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = protocol_parser("JSON lines {command, fields} in, frames in hexadecimal out.")
    options = parser.parse_args(arguments)
    return run(lambda: _encode(DIALECTS[options.protocol]))


if __name__ == "__main__":
    sys.exit(main())
