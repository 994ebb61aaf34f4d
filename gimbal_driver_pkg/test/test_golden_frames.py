"""Every golden frame means what it says and is written back to the byte; faults cost no frame."""

from __future__ import annotations

from typing import Any

import pytest

from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.framing import Deframer
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP

DIALECTS = {"siyi": SIYI, "viewpro": VIEWPRO, "viewpro_tcp": VIEWPRO_TCP}
NOTES = {"meaning", "note", "warning", "frame"}


def test_frame_decodes_to_its_meaning(golden_frame: dict[str, Any]) -> None:
    dialect = DIALECTS[golden_frame["protocol"]]
    frame = bytes.fromhex(golden_frame["hex"])

    assert Deframer(dialect.wire).feed(frame) == [frame]
    record = dialect.read(frame, Direction(golden_frame["direction"]))

    expected = {k: v for k, v in golden_frame["fields"].items() if k not in NOTES}
    assert record.command == golden_frame["command"]
    assert {name: record.fields.get(name) for name in expected} == expected


def test_meaning_encodes_to_its_bytes(golden_frame: dict[str, Any]) -> None:
    dialect = DIALECTS[golden_frame["protocol"]]
    assert (
        dialect.write(golden_frame["command"], golden_frame["fields"]).hex() == golden_frame["hex"]
    )


def test_decoded_record_encodes_to_its_bytes(golden_frame: dict[str, Any]) -> None:
    dialect = DIALECTS[golden_frame["protocol"]]
    frame = bytes.fromhex(golden_frame["hex"])
    record = dialect.read(frame, Direction(golden_frame["direction"]))
    assert dialect.write(record.command, record.fields) == frame


def test_fault_stream_yields_exactly_its_frames(fault_stream: dict[str, Any]) -> None:
    deframer = Deframer(DIALECTS[fault_stream["protocol"]].wire)
    frames = deframer.feed(bytes.fromhex(fault_stream["stream"])) + deframer.flush()
    assert [frame.hex() for frame in frames] == fault_stream["expect_frames"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_fault_stream_in_small_reads_yields_the_same(
    fault_stream: dict[str, Any], size: int
) -> None:
    deframer = Deframer(DIALECTS[fault_stream["protocol"]].wire)
    stream = bytes.fromhex(fault_stream["stream"])
    frames = [f for i in range(0, len(stream), size) for f in deframer.feed(stream[i : i + size])]
    frames += deframer.flush()
    assert [frame.hex() for frame in frames] == fault_stream["expect_frames"]


def test_attitude_of_the_wrong_length_is_not_taken_for_angles() -> None:
    frame = bytes.fromhex("55660206000c000d010002000300c0c6")
    record = SIYI.read(frame, Direction.FROM_GIMBAL)
    assert record.command == "unknown"
    assert "yaw_deg_wire" not in record.fields
    assert SIYI.write(record.command, record.fields) == frame


def test_published_frame_that_is_wrong_is_refused() -> None:
    """One public client's test file lists absolute zoom 4.5 with checksum C0 BB."""
    assert Deframer(SIYI.wire).feed(bytes.fromhex("556601020001000f0405c0bb")) == []


def test_named_fields_suffice_where_they_say_everything() -> None:
    """Without the raw data: nearly all samples name every field that is not zero."""
    frame = SIYI.write("set_angles", {"seq": 8, "yaw_deg_wire": -60.5, "pitch_deg_wire": 0})
    assert frame.hex() == "556601040008000ea3fd0000ec84"
    frame = VIEWPRO.write("a1_absolute_angle", {"yaw_deg": 45, "pitch_deg_raw": -30})
    assert frame.hex() == "55aadc0c1a0b2000eaab000000007c"


def test_edited_field_changes_its_bytes_and_no_others() -> None:
    frame = bytes.fromhex("5566010900000021010280073804d007005a68")
    record = SIYI.read(frame, Direction.TO_GIMBAL)
    edited = SIYI.read(
        SIYI.write(record.command, {**record.fields, "kbps": 1}), Direction.TO_GIMBAL
    )
    assert edited.fields["data"] == "01028007380401" + "0000"
