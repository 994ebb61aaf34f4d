"""docs/cameras.md says what is so: schemes, options, lists, tests."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.ros import topic_camera
from semantic_detection_pkg.camera.sources import registry
from semantic_detection_pkg.common.kernels import encodings
from semantic_detection_pkg.common.pictures import PICTURE_SUFFIXES
from semantic_detection_pkg.common.plugins import plugin_names
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "cameras.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def spans(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def examples() -> list[str]:
    return section("What can be given").split("```")[1].split()


def scheme_of(cells: list[str]) -> str:
    return next(iter(spans(cells[0]))).rstrip(":")


def test_every_scheme_is_there() -> None:
    """All but the one that tests use; who installs a plug-in of his own has one more."""
    named = {scheme_of(cells) for cells in rows(section("What can be given"))}
    ours = {"fake", *named}

    plugins = {name for name in plugin_names("semantic_detection.cameras") if name not in ours}
    assert named == set(registry.schemes()) - plugins - {"fake"}
    assert {"sim", "photo"} <= named
    assert {CameraUri.parse(text).scheme for text in examples()} == named


def attach_to_nothing() -> None:
    """Let `ros:` be known here; it is opened by nobody."""

    class Graph:
        def resolve_topic_name(self, name: str) -> str:
            return name if name.startswith("/") else f"/{name}"

        def get_publishers_info_by_topic(self, _: str) -> list[object]:
            return []

    registry.register("ros", topic_camera.attach(Graph()))  # type: ignore[arg-type]


def refusal(uri: str) -> str:
    """What is said of a camera that is not there; empty if it is."""
    try:
        registry.open_camera(uri).close()
    except (ConfigurationError, SourceLostError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("example", examples())
def test_every_example_has_options_that_exist(example: str, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_openers", dict(registry._openers))
    attach_to_nothing()
    # Nobody is asked over the network: what is looked at is how it is refused.
    uri = re.sub(r"@[^/]*/", "@127.0.0.1:9/", example)

    said = refusal(uri)

    assert "option" not in said
    assert "is unknown" not in said
    assert "must have the form" not in said


@pytest.mark.parametrize("cells", rows(section("What can be given")), ids=lambda cells: cells[0])
def test_every_option_of_the_table_exists_and_no_other(cells: list[str], monkeypatch) -> None:
    monkeypatch.setattr(registry, "_openers", dict(registry._openers))
    attach_to_nothing()
    scheme = scheme_of(cells)
    example = next(one for one in examples() if one.startswith(f"{scheme}:"))
    target, separator = re.split(r"[?#]", example)[0], "#" if scheme == "rtsp" else "?"

    said = refusal(f"{target}{separator}no_such_option=1")

    allowed = set(said.split("allowed: ")[1].split(", "))
    assert allowed <= spans(cells[2]), f"{allowed - spans(cells[2])} are missing in the table"
    words = {one for one in spans(cells[2]) if re.fullmatch("[a-z_]{3,}", one)}
    values = {"tcp", "udp", "source", "max", "message", "arrival", "flat", "equirectangular"}
    assert words - values == allowed


@pytest.mark.parametrize("scheme", ["sim", "photo"])
def test_the_table_of_made_worlds_has_every_option_with_its_range(scheme: str, tmp_path) -> None:
    target = "7"
    if scheme == "photo":
        target = str(tmp_path / "a.png")
        cv2.imwrite(target, np.zeros((4, 8, 3), np.uint8))
    described: dict[str, str] = {}
    for name, of, allowed, *_ in rows(section("Made worlds")):
        if of == "both" or scheme in of:
            described |= dict.fromkeys(spans(name), allowed)

    known = refusal(f"{scheme}:{target}?no_such_option=1").split("allowed: ")[1].split(", ")

    assert set(described) == set(known)
    for name, allowed in described.items():
        said = refusal(f"{scheme}:{target}?{name}=nonsense")
        if found := re.search(r"in (\S+)$", said):
            assert found[1] == allowed, name
        else:
            assert spans(allowed) == set(re.findall("[a-z]+", said.split("'nonsense': ")[1])) - {
                "are",
                "allowed",
            }


def test_every_suffix_and_every_encoding_is_there() -> None:
    suffixes = {one for one in spans(section("Pictures")) if one.startswith(".")}
    assert suffixes == PICTURE_SUFFIXES
    named = spans(section("Topics"))
    known = {one for one in encodings.supported() if " " not in one}
    assert known <= named
    for one in {one for one in named if re.fullmatch(r"[a-z0-9_]+[0-9]+[a-z0-9_]*", one)}:
        assert one in known, one


def test_every_test_that_the_table_names_is_there() -> None:
    folders = [ROOT / "test", *ROOT.glob("*_pkg/test")]
    text = "\n".join(path.read_text() for folder in folders for path in folder.rglob("test_*.py"))
    named = {one for one in spans(PAGE) if one.startswith("test_")}

    assert len(named) > 20
    assert {one for one in named if f"def {one}(" not in text} == set()
    for cells in rows(section("What was tried")):
        assert any(one.startswith("test_") for one in spans(cells[2])), cells
