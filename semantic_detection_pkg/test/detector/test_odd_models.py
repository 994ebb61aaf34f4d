"""Models that say odd things: no boxes, numbers that are none, shapes beyond all measure."""

import numpy as np
import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.errors import ConfigurationError, ModelError

METADATA = tiny_models.ultralytics_metadata("end_to_end")
PICTURE = np.random.default_rng(0).integers(0, 255, (100, 150, 3), np.uint8)
ODD = [0.0, -5.0, 0.5, 1.0, 7.0, 64.0, 1e38, -1e38, np.nan, np.inf, -np.inf]
numbers = st.sampled_from(ODD) | st.floats(-100, 200, width=32)


def rows_of(values) -> np.ndarray:
    """As many rows: box, score, class, the first coefficient."""
    rows = np.zeros((1, max(len(values), 1), 6 + tiny_models.MASK_CHANNELS), np.float32)
    for row, given_values in zip(rows[0], values, strict=False):
        row[:7] = given_values
    return rows


def open_model(path, rows, shape=(1, 3, 64, 64), prototype=1.0, metadata=METADATA):
    prototypes = np.full((len(rows), tiny_models.MASK_CHANNELS, 16, 16), prototype, np.float32)
    model = tiny_models.constant_model(
        {"output0": rows, "output1": prototypes}, metadata, input_shape=shape
    )
    return load_detector(
        tiny_models.save(model, path / "odd.onnx"),
        settings=DetectorSettings(confidence_threshold=0.1),
        threads=1,
    )


@settings(max_examples=40)
@given(
    st.lists(st.tuples(*[numbers] * 7), max_size=4),
    st.sampled_from(["full", "tiles", "rotating"]),
    st.sampled_from([1.0, -1.0, np.nan, np.inf]),
)
def test_whatever_a_model_says_what_comes_out_lies_in_the_picture(
    tmp_path_factory, values, way, prototype
):
    with open_model(tmp_path_factory.mktemp("odd"), rows_of(values), prototype=prototype) as loaded:
        loaded.pipeline.tiling = TileSettings(way, 64, 0.2)

        found = loaded.pipeline.process(PICTURE).detections

    boxes, points = found.boxes_xyxy, found.masks.points
    assert ((found.scores > 0.1) & (found.scores <= 1.0)).all()
    for low, high in ((boxes[:, :2], boxes[:, 2:]), (points, points)):
        assert (low >= 0).all()
        assert (high <= (150, 100)).all()


def test_a_box_that_ends_before_it_begins_is_rejected_and_counted(tmp_path):
    good, wrong = (10, 10, 40, 40, 0.9, 0, 1), (50, 10, 20, 40, 0.8, 1, 1)

    with open_model(tmp_path, rows_of([good, wrong])) as loaded:
        result = loaded.pipeline.process(PICTURE)

    assert (len(result.detections), result.rejected) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"shape": (1, 3, 1_000_000, 1_000_000)}, "1000000x1000000 px: at most 500,000,000"),
        ({"shape": (1_000_000, 3, 64, 64)}, "1000000x3x64x64 of 64x64 px: at most 500,000,000"),
        ({"shape": (1, 3, 0, 64)}, "1x3x0x64 must be BATCHx3xHEIGHTxWIDTH"),
        (
            {"shape": (1, 3, "h", "w"), "metadata": {**METADATA, "imgsz": str([10**30, 64])}},
            "at most 500,000,000 numbers are allowed",
        ),
        (
            {"shape": ("n", 3, 64, 64), "rows": np.zeros((0, 5, 38), np.float32)},
            "output0 float32 0x5x38, .* differ or are 0",
        ),
        ({"metadata": {**METADATA, "names": "{1e999: 'a'}"}}, "names must be a list or a table"),
        ({"metadata": {**METADATA, "names": "['\\ud800']"}}, "'.ud800' of 0 is no text"),
    ],
)
def test_a_model_beyond_all_measure_is_refused_in_one_line(tmp_path, changes, what):
    arguments = {"rows": rows_of([]), **changes}
    with pytest.raises(ModelError, match=rf"^odd.onnx: .*{what}") as raised:
        open_model(tmp_path, **arguments)
    assert "\n" not in str(raised.value)


def test_a_name_too_long_and_too_many_threads_are_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"model .*aaa\.\.\.: file name too long"):
        load_detector(tmp_path / ("a" * 300))
    path = tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "m.onnx")
    for threads in (65, 10**12):
        with pytest.raises(ConfigurationError, match=f"threads {threads} must be >= 0 and <= 64"):
            load_detector(path, threads=threads)
