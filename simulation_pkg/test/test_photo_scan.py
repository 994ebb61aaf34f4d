"""The whole loop before a photograph: what one look cannot see is found by tiles and confirmed."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import ClassNames
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.core.photo.labels import Label, Labels
from simulation_pkg.core.photo.render import PhotoEffects, PhotoRenderer, Projection
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.harness.photo_overlay import draw_score
from simulation_pkg.harness.photo_scan import PhotoScan, score_boxes, score_findings

INPUT = 64
HFOV = math.radians(40.0)
LENS = Lens(320, 180, HFOV)
SPOTS = ((150, 90), (420, 300), (640, 210))


class BrightSpots:
    """A box-only engine, end to end: each bright spot of its input is a person."""

    def allocate(self, shape, dtype):
        return np.zeros(shape, dtype)

    def infer(self, inputs):
        pictures = inputs["images"]
        rows = np.zeros((len(pictures), 10, 6), np.float32)
        for found, picture in zip(rows, pictures, strict=True):
            bright = (picture.mean(0) > 0.6).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
            for row, (x, y, width, height, area) in zip(found, stats[1:], strict=False):
                if area >= 3:
                    row[:] = x, y, x + width, y + height, 0.8, 0
        return {"rows": rows}


def pipeline_of(tiling: TileSettings) -> DetectorPipeline:
    info = ModelInfo(
        "spots", Layout.END_TO_END, INPUT, INPUT, "images", "float32", "rows", None, 0, ("person",)
    )
    words = ClassNames(info.class_names)
    return DetectorPipeline(
        BrightSpots(), info, words, words.choose([]), lambda: 0.0, DetectorSettings(), tiling
    )


@pytest.fixture
def world():
    image = np.full((450, 800, 3), 60, np.uint8)
    for spot in SPOTS:
        cv2.circle(image, spot, 5, (255, 255, 255), -1)
    things = tuple(Label("person", (x - 5.0, y - 5.0, x + 6.0, y + 6.0)) for x, y in SPOTS)
    labels = Labels(things)
    effects = PhotoEffects(noise=1.0)
    return PhotoRenderer(image, HFOV, Projection.FLAT, LENS, labels, effects), labels


def test_tiles_by_turns_find_and_confirm_what_whole_frames_do_not(world):
    photo, labels = world
    scores = {}
    for way in ("full", "rotating"):
        tiling = TileSettings(way, tile_px=INPUT, tiles_per_frame=2)
        settings = ScanSettings()
        sweep = replace(settings.sweep, frame_rate_hz=5.0)
        scan = PhotoScan(photo, LENS, pipeline_of(tiling), replace(settings, sweep=sweep))
        scan.scan(["person"])
        assert scan.result is not None
        assert scan.result.outcome == "succeeded"
        scores[way] = score_findings(scan, photo, labels)

    assert scores["full"].found["person"] == 0
    assert scores["rotating"].found == {"person": 3, "vehicle": 0}
    assert scores["rotating"].things == {"person": 3, "vehicle": 0}
    assert scores["rotating"].false == 0


def test_boxes_of_one_look_are_judged_as_data_sets_do():
    labels = Labels(
        (Label("car", (0, 0, 10, 10)), Label("person", (50, 0, 60, 20))), ((80, 80, 99, 99),)
    )
    names = ["truck", "car", "person", "person", "dog"]
    boxes = [[0, 0, 10, 9], [0, 0, 10, 10], [50, 0, 60, 19], [85, 85, 95, 95], [0, 0, 9, 9]]

    score = score_boxes(names, np.array(boxes, np.float32), labels, 0.5)

    assert score.found == {"person": 1, "vehicle": 1}
    assert score.false == 1  # the second box of the car; what is ignored does not count


def test_what_was_missed_is_drawn_otherwise_than_what_was_found():
    image = np.full((60, 80, 3), 90, np.uint8)
    labels = Labels((Label("person", (5, 5, 15, 25)), Label("car", (40, 30, 60, 50))))
    names, boxes = ["person", "truck"], np.array([[5, 5, 15, 24], [60, 5, 70, 15]], np.float32)
    score = score_boxes(names, boxes, labels, 0.5)

    drawn = draw_score(image, labels, score)

    assert [(mark.kind, mark.thing) for mark in score.marks] == [("found", 0), ("false", -1)]
    assert drawn.shape == (120, 160, 3)
    found, missed, false = drawn[10, 20], drawn[60, 100], drawn[20, 130]
    assert found[1] > 150 > max(found[0], found[2])  # green
    assert missed[2] > 150 > max(missed[0], missed[1])  # red
    assert min(false[0], false[2]) > 150 > false[1]  # magenta
    assert (image == 90).all()
