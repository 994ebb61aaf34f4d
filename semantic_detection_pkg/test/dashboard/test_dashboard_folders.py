"""A page that looks into another folder than the recorder writes to says so."""

from __future__ import annotations

import pytest

from semantic_detection_pkg.dashboard.core.folders import folder_complaint


@pytest.mark.parametrize("recorder", [None, {}, {"directory": ""}, {"directory": "/a/ring"}])
def test_folders_that_agree_or_are_not_known(recorder: dict[str, str] | None) -> None:
    assert folder_complaint(recorder, "/a") == ""


def test_folders_that_differ() -> None:
    """A parameter file may name the folder for the recorder alone."""
    assert folder_complaint({"directory": "/a/ring"}, "/b") == (
        "output_dir is /b, but the recorder writes to /a: its events are not shown"
    )
