"""The bench's table and files: what a second run says of the first."""

from pathlib import Path

import pytest

from bench.report import Results, table
from bench.row import Row

HERE = {"processor": "this one", "cores": 2}
ELSEWHERE = {"processor": "that one", "cores": 6}


def baseline(machine: dict[str, object], **values: float) -> Results:
    return Results().with_rows(machine, [Row(name, value, "ms") for name, value in values.items()])


@pytest.mark.parametrize(
    ("row", "before", "words"),
    [
        (Row("hop_ms", 0.5, "ms", goal=1.0), 1.0, ["<= 1", "yes", "1", "-50 % better"]),
        (Row("hop_ms", 3.0, "ms", goal=1.0), 2.0, ["<= 1", "NO", "2", "+50 % worse"]),
        (
            Row("hop_x", 30.0, "x", goal=30.0, better="higher"),
            60.0,
            [">= 30", "yes", "-50 % worse"],
        ),
        (Row("hop_x", 90.0, "x", better="higher"), 60.0, ["60", "+50 % better"]),
        (Row("drops", 0.0, "", goal=0.0), 0.0, ["<= 0", "yes", "same"]),
        (Row("drops", 3.0, "", goal=0.0), 0.0, ["<= 0", "NO", "worse"]),
    ],
)
def test_a_row_says_whether_its_goal_is_reached_and_what_changed(row, before, words) -> None:
    line = table([row], HERE, baseline(HERE, **{row.name: before})).splitlines()[1]
    assert all(word in line for word in words), line


def test_a_row_without_a_baseline_claims_no_change() -> None:
    line = table([Row("new_ms", 1.0, "ms")], HERE, baseline(HERE, old_ms=2.0)).splitlines()[1]
    assert line.split() == ["new_ms", "1", "ms"]


def test_another_machine_is_named() -> None:
    text = table([Row("hop_ms", 1.0, "ms")], HERE, baseline(ELSEWHERE, hop_ms=2.0))
    assert "of another machine (that one, 6 cores): only ratios (x) compare" in text
    assert "another machine" not in table([], HERE, baseline(HERE, hop_ms=2.0))


def test_files_keep_other_rows_of_the_same_machine_only(tmp_path) -> None:
    path = tmp_path / "results" / "latest.json"
    assert Results.load(path) == Results()
    Results().with_rows(HERE, [Row("a", 1.0, ""), Row("b", 2.0, "")]).save(path)
    Results.load(path).with_rows(HERE, [Row("b", 3.0, "")]).save(path)
    values = {name: row["value"] for name, row in Results.load(path).rows.items()}
    assert values == {"a": 1.0, "b": 3.0}
    Results.load(path).with_rows(ELSEWHERE, [Row("b", 4.0, "")]).save(path)
    assert list(Results.load(path).rows) == ["b"]


def test_what_failed_stands_below_the_rows() -> None:
    text = table([Row("hop_ms", 1.0, "ms")], HERE, Results(), {"recorder": "OSError: full"})
    assert [line.split()[0] for line in text.splitlines()] == ["row", "hop_ms", "recorder"]
    assert "FAILED OSError: full" in text


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    path = tmp_path / "latest.json"
    Results().with_rows(HERE, [Row("a", 1.0, "")]).save(path)

    def half(self: Path, text: str) -> int:
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="disk full"):
        Results().with_rows(HERE, [Row("a", 2.0, "")]).save(path)
    assert Results.load(path).rows["a"]["value"] == 1.0
