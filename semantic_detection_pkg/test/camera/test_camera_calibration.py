"""camera_info files: read as ROS writes them, refused with the key that is wrong."""

import pytest
import yaml

from semantic_detection_pkg.camera.calibration import load_calibration
from semantic_detection_pkg.errors import ConfigurationError

# As `cameracalibrator` of the camera_calibration package saves it.
TEXT = """
image_width: 1280
image_height: 720
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [1000.0, 0.0, 640.5, 0.0, 1001.0, 360.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.1, 0.01, 0.0, 0.0, 0.0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
projection_matrix:
  rows: 3
  cols: 4
  data: [990.0, 0.0, 640.5, 0.0, 0.0, 991.0, 360.5, 0.0, 0.0, 0.0, 1.0, 0.0]
"""


def test_a_file_of_the_calibrator_is_read(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text(TEXT)

    calibration = load_calibration(path)

    assert (calibration.width, calibration.height) == (1280, 720)
    assert calibration.camera_name == "narrow_stereo"
    assert calibration.camera_matrix[:3] == (1000.0, 0.0, 640.5)
    assert calibration.distortion == (-0.1, 0.01, 0.0, 0.0, 0.0)
    assert len(calibration.projection_matrix) == 12


def matrix(rows: int, columns: int, value: float = 1.0) -> dict:
    return {"rows": rows, "cols": columns, "data": [value] * (rows * columns)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_width": None}, "image_width is missing"),
        ({"image_width": "wide"}, "image_width 'wide' must be a whole number"),
        ({"image_height": 0}, "picture size 1280x0 must be at least 1x1"),
        ({"distortion_model": "fisheye"}, "'fisheye' is unknown; allowed: plumb_bob, rational"),
        ({"distortion_coefficients": matrix(1, 3)}, "3 numbers; plumb_bob has 4 or 5"),
        ({"camera_matrix": None}, "camera_matrix is missing"),
        ({"camera_matrix": [1, 2, 3]}, "camera_matrix must have rows, cols and data"),
        ({"camera_matrix": {"rows": 3, "cols": 3}}, "camera_matrix must have rows, cols and data"),
        ({"camera_matrix": {"rows": "x", "cols": 3, "data": [1]}}, "must have rows, cols and data"),
        ({"camera_matrix": matrix(3, 4)}, "camera_matrix: 12 numbers where 9 are needed"),
        ({"camera_matrix": matrix(3, 3, 0.0)}, "focal lengths 0.0, 0.0 must be > 0 px"),
        (
            {"camera_matrix": {"rows": 3, "cols": 3, "data": [1.0] * 8}},
            "8 numbers for 3 rows of 3",
        ),
        ({"projection_matrix": matrix(3, 4, float("nan"))}, "projection_matrix: .* finite"),
        ({"rectification_matrix": matrix(2, 2)}, "4 numbers where 9"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    document = yaml.safe_load(TEXT) | change
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in document.items() if v is not None}))

    with pytest.raises(ConfigurationError, match=f"calibration file {path}: .*{message}"):
        load_calibration(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"{unfinished: [1,", "not YAML"),
        (b"\x80\x81", "not YAML"),
        (b"- a\n- list", "must be a table"),
        (b"", "must be a table"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "camera.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=message) as raised:
        load_calibration(path)

    assert "\n" not in str(raised.value)
