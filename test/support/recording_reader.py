"""What is in a recording, read by a reader that is not ours."""

from __future__ import annotations

from pathlib import Path

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory


def numbers_in(*paths: Path) -> list[int]:
    """The numbers of all counted messages in MCAP files, read by an independent reader."""
    numbers: list[int] = []
    for path in paths:
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
            numbers += [
                found.decoded_message.header.stamp.sec for found in reader.iter_decoded_messages()
            ]
    return numbers
