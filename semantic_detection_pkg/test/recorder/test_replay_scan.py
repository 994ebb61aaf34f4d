"""Replay: a recorded scan decides the same, and says where it does not."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from semantic_detection_pkg.cli.replay import main
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.replay.changes import with_values
from semantic_detection_pkg.recorder.core.replay.comparison import Digest, differences
from semantic_detection_pkg.recorder.core.replay.player import BEFORE_START, replay
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_messages import scan_recording
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.from_messages import from_journal
from semantic_detection_pkg.scan.core.inputs import Goal, Pause
from semantic_detection_pkg.scan.core.journal import (
    RecordedStep,
    inputs_from_json,
    inputs_to_json,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.recorded_messages import ROOT, SENSOR, counted, message, typestore
from simulation_pkg.harness.scan_recording import (
    JOURNAL_TYPE,
    messages_of,
    recorded_scan,
    write_bag,
)


def summary_of(path: Path, change=lambda same: same) -> Summary:
    with BagReader(path) as reader:
        return Summary.of(replay(scan_recording(reader, "/"), change))


def is_journal(one: Message) -> bool:
    return one.topic.type_name == JOURNAL_TYPE


def test_decides_the_same_twice_and_as_it_did_live(bag: Path) -> None:
    live = Digest()
    scan = recorded_scan()
    for decision in scan.decisions:
        live.add(decision.to_json())
    assert scan.findings, "a scan that finds nothing shows nothing"
    for summary in (summary_of(bag), summary_of(bag)):
        assert summary.exact == summary.steps == len(scan.decisions)
        assert summary.replayed.text == summary.recorded.text == live.text
        assert summary.first_different is None


def test_a_ring_that_outlives_a_change_of_what_publishers_offer(
    tmp_path: Path, messages: list[Message], bag: Path
) -> None:
    half = len(messages) // 2
    changed = [
        one._replace(topic=replace(one.topic, qos=(SENSOR,))) if is_journal(one) else one
        for one in messages[half:]
    ]
    write_bag(tmp_path, messages[:half])
    both = summary_of(write_bag(tmp_path, changed))
    assert both.replayed.text == both.recorded.text == summary_of(bag).recorded.text


def test_the_tool_says_so(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bag.parent)]) == 0  # the recorder's folder does as well
    out = capsys.readouterr().out
    digests = re.findall(r"sha256 (\w{64})", out)
    assert digests[0] == digests[1]
    assert "steps 0 to 239" in out
    assert "all 240 decisions are the same" in out


def test_another_threshold_is_named_at_its_first_decision(
    bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bag), "--set", "classifier_accept_threshold=0.99"]) == 1
    out = capsys.readouterr().out
    digests = re.findall(r"sha256 (\w{64})", out)
    assert digests[0] != digests[1]
    number = int(re.findall(r"^step (\d+), ", out, re.M)[0])
    assert re.search(r"^  \S+: .*, now ", out, re.M)
    # It is the first: the steps before it decide the same.
    summary = summary_of(
        bag, lambda old: with_values(old, {"tiers.classifier_accept_threshold": "0.99"})
    )
    assert summary.first_different is not None
    assert summary.first_different.step.number == number
    assert 0 < summary.different < summary.exact


def test_a_recording_that_begins_in_the_middle(
    tmp_path: Path, messages: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bag(tmp_path, messages[len(messages) // 2 :])
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert BEFORE_START in error


@pytest.mark.parametrize(
    ("lost", "problem"),
    [
        ("scan/journal", "steps before it are not in the recording"),
        ("gimbal/state", "GimbalReading of"),
        ("detections", "FrameDetections of"),
    ],
)
def test_what_was_lost_ends_the_replay_until_work_begins_again(
    tmp_path: Path, messages: list[Message], lost: str, problem: str
) -> None:
    """Two scans in one bag, with a hole in the first."""
    mine = [one for one in messages if one.topic.name == f"/{lost}"]
    hole = mine[len(mine) // 2]
    first = [one for one in messages if one is not hole]
    path = write_bag(tmp_path, [*first, *messages_of(recorded_scan(later_s=60))])
    before, *gone, after = summary_of(path).stretches
    assert before.first.step.number == 0
    assert not before.problem
    assert all(problem in stretch.problem for stretch in gone)
    assert (after.first.step.number, after.steps, after.problem) == (0, 240, "")


def test_a_step_waits_for_messages_that_were_written_after_it(bag: Path) -> None:
    """The samples write every step before its messages; all of them are replayed."""
    with BagReader(bag) as reader:
        kinds = [type(item).__name__ for item in scan_recording(reader, "/")]
    assert kinds[:2] == ["RecordedStep", "GimbalReading"]


def test_steps_that_a_recorder_was_told_twice(bag: Path) -> None:
    with BagReader(bag) as reader:
        items = list(scan_recording(reader, "/"))
    steps = [item for item in items if isinstance(item, RecordedStep)]
    again = items.index(steps[150])
    summary = Summary.of(replay([*items[:again], *steps[100:150], *items[again:]]))
    assert [(one.steps, one.problem) for one in summary.stretches] == [(240, "")]


def test_settings_of_another_version_are_taken_as_far_as_they_are_known() -> None:
    text = inputs_to_json(replace(ScanSettings(), sweep_zoom=2.0), [Pause(True)])
    other = text.replace('"sweep_zoom":2.0', '"sweep_zoom":2.0,"gone":1').replace(
        '"cell_size_rad":0.017453292519943295,', ""
    )
    inputs = inputs_from_json(other)
    assert inputs.settings == replace(ScanSettings(), sweep_zoom=2.0)
    assert inputs.others == (Pause(True),)
    assert inputs.version_notes == (
        "gone is not known any more",
        "cell_size_rad is new, 0.017453292519943295 is taken",
    )


def test_settings_are_read_under_the_names_that_they_had() -> None:
    text = inputs_to_json(with_values(ScanSettings(), {"refine_factor": "4.0"}), [])
    for new, old in (
        ("input_timeouts", "losses"),
        ("view_planning", "tour"),
        ("size_margin", "spare"),
        ("true_positive_rate", "hit_if_there"),
        ("refine_factor", "closer"),
        ("min_views", "looks"),
        ("vlm_unavailable_policy", "without_vlm"),
        ("gating_max_rad", "stroll_rad"),
        ("max_candidate_wait_s", "wait_max_s"),
        ("cell_size_rad", "cell_rad"),
    ):
        assert text.count(f'"{new}":') == 1
        text = text.replace(f'"{new}":', f'"{old}":')
    inputs = inputs_from_json(text)
    assert inputs.settings is not None
    assert inputs.settings.close.refine_factor == 4.0
    assert inputs.version_notes == ()


@pytest.mark.parametrize("text", ["", "1", "[1]", '[{"type": "Unheard"}]', '[{"type": "Pause"}]'])
def test_inputs_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        inputs_from_json(text)


def test_inputs_come_back_bit_for_bit() -> None:
    scan = recorded_scan(1.0)
    goal = next(item for _, inputs in scan.journal for item in inputs if isinstance(item, Goal))
    assert inputs_from_json(inputs_to_json(None, [goal])).others == (goal,)
    assert inputs_from_json(inputs_to_json(scan.settings, [])).settings == scan.settings


@pytest.mark.parametrize(
    ("then", "now", "lines"),
    [
        ('{"a":1}', '{"a":1}', []),
        ('{"a":{"b":[1,2]}}', '{"a":{"b":[1,3]}}', ["a.b[1]: 2, now 3"]),
        ('{"a":[]}', '{"a":[{"id":7}]}', ['a[0]: nothing, now {"id": 7}']),
        ('{"a":null}', '{"a":"x"}', ["a: null, now x"]),
        ('{"a":"' + "y" * 99 + '"}', '{"a":""}', ["a: " + "y" * 77 + "..., now "]),
    ],
)
def test_differences(then: str, now: str, lines: list[str]) -> None:
    assert differences(then, now) == lines


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"classifier_acept_threshold": "1"}, "unknown; known: tiers.classifier_accept_threshold"),
        ({"vlm_policy": "sometimes"}, "is 'sometimes', allowed is one of unsure"),
        ({"classifier_accept_threshold": "high"}, "setting classifier_accept_threshold=high: "),
        ({"classifier_accept_threshold": "2"}, "must rise within 0..1"),
        ({"max_views": "1.5"}, "1.5 is given, int is needed"),
        ({"tiers.classifier_yes": "1"}, "is called 'tiers.classifier_accept_threshold' now"),
        ({"classifier_yes": "1"}, "is called 'tiers.classifier_accept_threshold' now"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        with_values(ScanSettings(), values)


def test_a_bag_of_sqlite_without_definitions(
    tmp_path: Path, messages: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Humble writes them; the types are those that are installed."""
    path = tmp_path / "sqlite"
    store = typestore()
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {
            name: writer.add_connection(name, type_name, typestore=store)
            for name, type_name in {(m.topic.name, m.topic.type_name) for m in messages}
        }
        for one in messages:
            writer.write(connections[one.topic.name], one.received_ns, one.data)
    with closing(sqlite3.connect(next(path.glob("*.db3")))) as database:
        database.execute("DROP TABLE message_definitions")
        database.execute("UPDATE schema SET schema_version = 3")
        database.commit()
    (tmp_path / "share").mkdir()
    (tmp_path / "share/interfaces_pkg").symlink_to(ROOT / "interfaces_pkg")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    summary = summary_of(path)
    assert summary.exact == 240
    assert summary.first_different is None
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    assert main([str(path)]) == 2


def cut_off(path: Path) -> Path:
    file = next(path.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return path


def emptied(path: Path) -> Path:
    next(path.glob("*.mcap")).write_bytes(b"")
    return path


def without_file(path: Path) -> Path:
    next(path.glob("*.mcap")).unlink()
    return path


def odd_metadata(path: Path) -> Path:
    (path / "metadata.yaml").write_text("rosbag2_bagfile_information: 3\n")
    return path


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path / "nowhere", "does not exist"),
        (lambda path: path / "metadata.yaml", "is a file; a folder with metadata.yaml is needed"),
        (lambda path: path.parent.parent, "is no bag: it holds no metadata.yaml"),
        (cut_off, "is it cut off or damaged?"),
        (emptied, "is it cut off or damaged?"),
        (without_file, "is it cut off or damaged?"),
        (odd_metadata, "is it cut off or damaged?"),
    ],
)
def test_bags_that_are_none(
    tmp_path: Path, bag: Path, spoil, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "inner" / "copy"
    shutil.copytree(bag, copy)
    assert main([str(spoil(copy))]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("replay: ")
    assert said in error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([counted(1)], "has no topic scan/journal; it has /counted"),
        (
            [message("/scan/journal", "sensor_msgs/msg/JointState", 5)],
            "topic /scan/journal is sensor_msgs/msg/JointState, interfaces_pkg/msg/ScanJournal",
        ),
        (
            [message(f"/{name}/scan/journal", JOURNAL_TYPE, 5) for name in ("a", "b")],
            "holds several robots: /a/, /b/",
        ),
        (
            [message("/scan/journal", JOURNAL_TYPE, 5)],
            "no step can be replayed: its inputs cannot be",
        ),
    ],
)
def test_bags_of_something_else(
    tmp_path: Path, content: list[Message], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(write_bag(tmp_path, content))]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_one_of_several_robots(tmp_path: Path, messages: list[Message]) -> None:
    other = [one._replace(topic=replace(one.topic, name="/b" + one.topic.name)) for one in messages]
    path = write_bag(tmp_path, [*messages, *other])
    assert main([str(path)]) == 2
    assert main([str(path), "--namespace", "b"]) == 0
    assert main([str(path), "--namespace", "c"]) == 2


@pytest.mark.parametrize(
    "text", ["classifier_accept_threshold", "=1", "classifier_accept_threshold=", "unheard=1"]
)
def test_options_that_are_none(bag: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bag), "--set", text]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_message_as_the_bag_has_it() -> None:
    store = typestore()
    step = recorded_scan(0.1)
    journal = next(one for one in messages_of(step) if is_journal(one))
    read = from_journal(store.deserialize_cdr(journal.data, JOURNAL_TYPE))
    assert (read.number, read.now_ns) == (0, step.journal[0][0])
    assert read.decision == step.decisions[0].to_json()
