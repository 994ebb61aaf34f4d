"""Fixtures of the detector's and the cameras' tests."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.camera.sources import decoding

_VARIABLE = "SEMANTIC_DETECTION_REALDATA"
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RealData:
    """A real model, a photograph, and what a reference implementation finds in it."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of a file or folder, or skip the test."""
        if not (path := self.folder / name).exists():
            pytest.skip(
                f"{path} is missing: others' models and pictures, under licences that let the "
                f"set-up neither keep nor install them; {_VARIABLE} names their folder"
            )
        return path

    @property
    def model(self) -> Path:
        return self.folder / "coco_seg_640.onnx"

    @property
    def photo(self) -> Path:
        return self.folder / "bus.jpg"

    def reference(self) -> list[dict]:
        """Reference detections; `mask` is a boolean picture."""
        document = json.loads((self.folder / "bus.reference.json").read_text())
        shape = document["height"], document["width"]
        for detection in document["detections"]:
            runs = detection["mask_rle_row_major"]
            values = np.arange(len(runs)) % 2 == 1  # runs begin with zeros
            detection["mask"] = np.repeat(values, runs).reshape(shape)
        return document["detections"]


@pytest.fixture(scope="session")
def realdata() -> RealData:
    """The folder of real data: named by the environment, or beside the repository."""
    folder = Path(os.environ.get(_VARIABLE) or _REPOSITORY.parent / "shared" / "realdata")
    real = RealData(folder)
    for name in ("coco_seg_640.onnx", "bus.jpg", "bus.reference.json"):
        real.path(name)
    return real


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small inputs out of public reports: named by the environment, or beside us."""
    variable = "SEMANTIC_DETECTION_CASES"
    folder = Path(os.environ.get(variable) or _REPOSITORY.parent / "shared" / "cases")
    if not folder.is_dir():
        pytest.skip(
            f"{folder} is missing: inputs out of reports, not ours to hand on; {variable} names it"
        )
    return folder


@pytest.fixture(scope="session")
def colour_picture() -> np.ndarray:
    """A 96 x 96 BGR picture: black with a red, a green, a blue and a greenish patch.

    In the 64 x 64 input of the tiny models the patches fill whole cells: 1, 4, 1 and 1 of them.
    """
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[12:24, 12:24] = (0, 0, 255)
    picture[24:48, 36:60] = (0, 230, 0)
    picture[60:72, 72:84] = (240, 0, 0)
    picture[84:96, 0:12] = (60, 200, 60)
    return picture


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of 6 frames at 20 Hz, each one grey value, 20 apart."""
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    assert writer.isOpened()
    for value in range(0, 120, 20):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    return path


@pytest.fixture(params=["av", "opencv"])
def decoder(request, monkeypatch) -> str:
    """Each decoder in turn."""
    monkeypatch.setattr(decoding, "has_av", lambda: request.param == "av")
    return request.param
