"""Every interface says what it is for, and every number its unit or range."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "interfaces_pkg"
FILES = sorted(path for path in FOLDER.glob("*/*.*") if path.suffix in (".msg", ".srv", ".action"))
NUMBER = re.compile(r"^(u?int\d+|float\d+)(\[\d*\])? (\w+)(=\S+)?\s*(#.*)?$")
# What a comment on a decimal number must hold: a unit in brackets or a range.
UNIT_OR_RANGE = re.compile(r"\[[^]]+\]|\d\.\.|\d, ")


def test_there_are_interfaces() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_purpose_stands_on_top(path: Path) -> None:
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_number_has_a_unit_or_range(path: Path) -> None:
    silent = []
    for line in path.read_text().splitlines():
        match = NUMBER.match(line)
        if match is None or match[4]:  # constants name themselves
            continue
        comment = match[5] or ""
        is_decimal = match[1].startswith("float")
        is_said = UNIT_OR_RANGE.search(comment) if is_decimal else comment
        if not is_said:
            silent.append(line)
    assert silent == []
