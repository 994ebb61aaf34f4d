"""What the campaign of faults counts as lost, and how it tells what came of it."""

import mmap
import os
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import kill_recorder
import pytest
import yaml
from faults import __main__ as campaign
from faults import parts
from faults.holdings import Holdings, growth, holdings, told
from faults.kept import Kept, losses, without_evidence
from faults.report import Outcome, table, too_slow
from faults.robot import _launch_file
from kill_recorder import Tally

BEFORE = Kept(
    coverage=0.5,
    confirmed=2,
    told=frozenset({"f1", "f2", "of another goal"}),
    mission=frozenset({"f1", "f2"}),
    words=("person",),
    segments={"ring_0000001.mcap": 20, "ring_0000002.mcap": 20},
    evidence=frozenset({"f1"}),
    ring_bytes=50,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coverage": 0.1}, "coverage fell from 0.50 to 0.10"),
        ({"confirmed": 0}, "2 findings are 0"),
        ({"words": ("boat",)}, "looks for ('boat',)"),
        ({"segments": {"ring_0000001.mcap": 20}}, "segment ring_0000002.mcap is gone"),
        ({"evidence": frozenset()}, "event of finding f1 is gone"),
    ],
)
def test_each_loss_is_told(change: dict[str, object], said: str) -> None:
    (lost,) = losses(BEFORE, replace(BEFORE, **change))  # type: ignore[arg-type]
    assert said in lost


def test_what_goes_on_is_no_loss() -> None:
    after = replace(
        BEFORE,
        coverage=0.9,
        confirmed=3,
        segments={**BEFORE.segments, "ring_0000003.mcap": 5},
        evidence=BEFORE.evidence | {"f2"},
    )
    assert losses(BEFORE, after) == []
    # One was looked at again and is not confirmed any more.
    assert losses(BEFORE, replace(BEFORE, confirmed=1, told=frozenset({"f1"}))) == []
    # It was counted, and the process ended before it could be told.
    assert losses(replace(BEFORE, confirmed=3), BEFORE) == []
    # The area was covered and is begun again.
    assert losses(replace(BEFORE, coverage=0.95), replace(BEFORE, coverage=0.0)) == []


def test_only_a_full_recording_lets_go_and_only_of_its_oldest() -> None:
    def after(*numbers: int) -> list[str]:
        segments = {f"ring_000000{number}.mcap": 20 for number in numbers}
        return losses(BEFORE, replace(BEFORE, segments=segments))

    assert after(2, 3) == []
    assert after(2) == ["segment ring_0000001.mcap is gone"]  # it was not full
    assert len(after()) == 2
    assert after(1, 3) == ["segment ring_0000002.mcap is gone"]


def test_confirmed_findings_without_an_event() -> None:
    assert without_evidence({"f1", "f2"}, ["f1"]) == ["event of finding f2 is gone"]


def test_no_folder_is_given_to_a_robot_of_its_own(tmp_path: Path) -> None:
    """Two robots of a host could not meet in what somebody keeps apart for them."""
    for name in ("", "r1", "r2"):
        *_, robot = yaml.safe_load(_launch_file(tmp_path, "sim:7", name, "few"))["launch"]
        given = {one["name"]: one["value"] for one in robot["include"]["arg"]}
        assert given["namespace"] == name
        assert not {"shared_dir", "output_dir"} & set(given)
        assert "_dir" not in Path(given["params_file"]).read_text()
    assert len({path.name for path in tmp_path.glob("*.param.yaml")}) == 3
    # But for what the two are given by mistake.
    written = _launch_file(tmp_path, "sim:7", "r1", "few", tmp_path / "one")
    given = yaml.safe_load(written)["launch"][-1]["include"]["arg"]
    assert {"name": "shared_dir", "value": str(tmp_path / "one")} in given


def test_the_table_counts_who_survived() -> None:
    outcomes = [
        Outcome("kill", "camera", 2.0),
        Outcome("kill", "detector", 4.0, ["segment x is gone"]),
        Outcome("kill", "recorder", None, remark="scan level 3"),
    ]
    assert outcomes[2].line() == "kill: recorder: never well again; scan level 3"
    head, row = table(outcomes).splitlines()
    assert head.split() == [
        "fault",
        "tried",
        "survived",
        "median",
        "s",
        "p95",
        "s",
        "max",
        "s",
        "lost",
    ]
    assert row.split() == ["kill", "3", "1", "3.0", "3.9", "4.0", "1"]


def test_what_piles_up_is_told() -> None:
    """Thousandths of a quantity with each look are much after hours."""
    flat = [Holdings(500.0 + look % 3, 200.0, 400.0 + look % 2, 60.0) for look in range(60)]
    assert growth(flat) == []
    assert (
        told(flat) == "rss_mb 501 to 501, threads 200 to 200, files 400 to 400, shared_mb 60 to 60"
    )
    for name, each in (("rss_mb", 2.0), ("threads", 1.0), ("files", 1.0), ("shared_mb", 0.5)):
        risen = [
            replace(one, **{name: getattr(one, name) + each * n}) for n, one in enumerate(flat)
        ]
        (said,) = growth(risen)
        assert said.startswith(f"{name} has grown from ")


def test_what_processes_hold() -> None:
    alone = holdings([os.getpid()])
    assert alone.rss_mb > 10.0
    assert alone.threads >= 1.0
    with mmap.mmap(-1, 32 << 20) as memory, open("/dev/null"):
        memory.write(b"x" * len(memory))
        more = holdings([os.getpid()])
    assert more.files == alone.files + 1
    assert more.shared_mb > alone.shared_mb + 30.0
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert holdings([ended.pid]) == Holdings(0.0, 0.0, 0.0, 0.0)


RUNS = {
    "recorder": Tally(
        told=["a", "b"],
        orphans=["c"],
        recorded=frozenset({"b"}),
        events=1,
        bare=0,
        without=["a"],
        broken=["b"],
        lost=["ring_0000003.mcap"],
        unheard=1,
        took_s=60.0,
    )
}


def test_what_the_killed_recorder_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def rounds(folder: Path, count: int, *_: object) -> Tally:
        asked.append(count)
        return RUNS["recorder"]

    monkeypatch.setattr(campaign, "_place", lambda: nullcontext((tmp_path, None)))
    monkeypatch.setattr(kill_recorder, "rounds", rounds)
    assert campaign.main(["--only", "recorder", "--rounds", "2", "--processes", "each,few"]) == 1
    assert asked == [40], "once, whoever shares a process"
    outcome = parts.recorder(tmp_path, 40)
    assert outcome.line() == (
        "recorder: killed 40 times: 0.0 s; finding a has no event; the event of finding b cannot "
        "be read; finished segment ring_0000003.mcap is gone; 3 found, 1 recorded, 1 events, "
        "1 without event, 1 segments lost"
    )
    well = replace(RUNS["recorder"], without=[], broken=[], lost=[])
    monkeypatch.setattr(kill_recorder, "rounds", lambda *_: well)
    assert parts.recorder(tmp_path, 40).has_survived


@pytest.mark.parametrize(
    ("words", "status"), [(["--only", "gpu"], 0), (["--only", "gpu", "--quiet-machine"], 1)]
)
def test_on_a_quiet_machine_a_slow_recovery_fails(
    words: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(parts, "gpu", lambda rounds: Outcome("gpu", f"{rounds} kills", 5.5))
    assert campaign.main([*words, "--rounds", "3"]) == status
    said = capsys.readouterr().out
    assert "gpu: 300 kills: 5.5 s" in said
    assert ("gpu: p95 of the recovery is 5.5 s, goal 5 s" in said) == bool(status)


def test_p95_of_each_kind_has_the_goal() -> None:
    quick = [Outcome("stop", "camera", 1.0)] * 99
    assert too_slow([*quick, Outcome("stop", "camera", 60.0)]) == [], "one in a hundred"
    slow = [Outcome("kill", "camera", 6.0), Outcome("kill", "detector", None)]
    assert too_slow([*quick, *slow]) == ["kill: p95 of the recovery is 6.0 s, goal 5 s"]
