"""A run of the bench: what is measured is kept at once, and one part's failure is its own."""

import json
import sys
from pathlib import Path

import pytest

import bench
from bench import __main__ as program

STEADY = """
from bench.row import Row
ROWS = ("steady_ms", "steady_x")
def rows():
    yield Row("steady_ms", 1.0, "ms")
    yield Row("steady_x", 2.0, "x")
"""
BREAKS = """
from bench.row import Row
ROWS = ("breaks_first_ms", "breaks_second_ms")
def rows():
    yield Row("breaks_first_ms", 3.0, "ms")
    raise FileNotFoundError("no folder\\nand more lines")
"""


class Bench:
    """The program with parts and files of the test's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.latest = folder / "results" / "latest.json"
        self.baseline = folder / "results" / "baseline.json"
        self._parts = folder / "parts"
        self._parts.mkdir()
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(bench, "__path__", [str(self._parts)])
        monkeypatch.setattr(program, "LATEST", self.latest)
        monkeypatch.setattr(program, "BASELINE", self.baseline)

    def add(self, name: str, text: str) -> None:
        # Removed again at the test's end, in whatever state it is.
        self._monkeypatch.setitem(sys.modules, f"bench.{name}", None)
        del sys.modules[f"bench.{name}"]
        (self._parts / f"{name}.py").write_text(text)

    def run(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return program.main()

    def kept(self) -> dict[str, float]:
        if not self.latest.exists():
            return {}
        return {row["name"]: row["value"] for row in json.loads(self.latest.read_text())["rows"]}


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_rows_are_kept_and_shown(parts, capsys) -> None:
    parts.add("part_a", STEADY)
    assert parts.run() == 0
    assert parts.kept() == {"steady_ms": 1.0, "steady_x": 2.0}
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        *("row", "steady_ms", "steady_x")
    ]


def test_a_part_that_fails_is_named_and_the_rest_goes_on(parts, capsys) -> None:
    parts.add("part_a", BREAKS)
    parts.add("part_b", STEADY)
    assert parts.run() == 1
    assert parts.kept() == {"breaks_first_ms": 3.0, "steady_ms": 1.0, "steady_x": 2.0}
    shown = capsys.readouterr()
    (failure,) = [line for line in shown.out.splitlines() if "FAILED" in line]
    assert failure.split(maxsplit=2) == ["part_a", "FAILED", "FileNotFoundError: no folder"]
    assert "Traceback" in shown.err


def test_a_part_that_cannot_be_imported_is_named(parts, capsys) -> None:
    parts.add("part_a", "import a_module_that_is_not_there")
    parts.add("part_b", STEADY)
    assert parts.run() == 1
    assert "part_a" in capsys.readouterr().out
    assert "steady_ms" in parts.kept()


def test_a_part_that_is_not_wanted_cannot_fail(parts) -> None:
    parts.add("part_a", "import a_module_that_is_not_there")
    parts.add("part_b", STEADY)
    assert parts.run("--only", "steady_x") == 0
    assert parts.kept() == {"steady_x": 2.0}


def test_a_row_is_in_the_file_before_the_next_is_measured(parts, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(bench, "look", lambda: seen.append(parts.kept()), raising=False)
    parts.add(
        "part_a",
        STEADY.replace(
            '    yield Row("steady_x"',
            "    import bench; bench.look()\n" + '    yield Row("steady_x"',
        ),
    )
    parts.run()
    assert seen == [{"steady_ms": 1.0}]


def test_a_run_that_is_stopped_keeps_what_it_has(parts) -> None:
    parts.add("part_a", STEADY)
    parts.add("part_b", BREAKS.replace("FileNotFoundError", "KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        parts.run()
    assert parts.kept() == {"steady_ms": 1.0, "steady_x": 2.0, "breaks_first_ms": 3.0}


def test_what_failed_leaves_the_baseline_as_it_was(parts) -> None:
    parts.add(
        "part_a",
        BREAKS.replace(
            "    raise", "    yield Row('breaks_second_ms', 4.0, 'ms')\n    if False: raise"
        ),
    )
    assert parts.run("--set-baseline") == 0
    parts.add("part_a", BREAKS.replace("3.0", "5.0"))
    assert parts.run("--set-baseline") == 1
    rows = json.loads(parts.baseline.read_text())["rows"]
    assert [(row["name"], row["value"]) for row in rows] == [
        ("breaks_first_ms", 5.0),
        ("breaks_second_ms", 4.0),
    ]


def test_nothing_that_begins_so(parts, capsys) -> None:
    parts.add("part_a", STEADY)
    assert parts.run("--only", "nothing") == 2
    assert "nothing begins with nothing" in capsys.readouterr().err
    assert not parts.latest.exists()
