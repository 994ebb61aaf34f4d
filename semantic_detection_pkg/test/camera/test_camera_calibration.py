"""Calibration files: read as tools write them, refused by what is wrong, scaled to pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from semantic_detection_pkg.camera.calibration import load_calibration
from semantic_detection_pkg.camera.ros.camera_info import Intrinsics
from semantic_detection_pkg.common.core.frame import Frame
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
        ({"distortion_model": "omni"}, "'omni' is unknown; allowed: plumb_bob, rational"),
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
        (
            {"camera_matrix": {"rows": 3, "cols": 3, "data": [9, 0, 0, 0, 9, 0, 320, 240, 1]}},
            "last row",
        ),
        ({"camera_matrix": {"rows": 3, "cols": 3, "data": [True] * 9}}, "rows, cols and data"),
        ({"camera_matrix": {"rows": -3, "cols": -3, "data": [1.0] * 9}}, "9 numbers for -3 rows"),
        ({"camera_matrix": {"rows": 3, "cols": 3, "data": [10**400] * 9}}, "rows, cols and data"),
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
        (
            b"%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix [1, 2]\n",
            "opencv-matrix must be a table",
        ),
        (b"%YAML:1.0\n---\nM1: {rows: 1, cols: 1, data: [1]}\n", "camera_matrix is missing"),
        (b'<?xml version="1.0"?>\n<opencv_storage>', "is XML of OpenCV; write it as .yaml"),
        (b"# oST version 5.0 parameters\n\n\n[image]\n\nwidth\n640\n", "is INI of camera_calib"),
        (b"/camera:\n  ros__parameters:\n    image_width: 1\n", "is a parameter file of a node"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "camera.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=message) as raised:
        load_calibration(path)

    assert "\n" not in str(raised.value)


def load(folder: Path, text: str):
    path = folder / "calibration.yaml"
    path.write_text(text)
    return load_calibration(path)


OPENCV_HEADER = "%YAML:1.0\n---\n"
MATRIX = "[ 607.6, 0., 318.2, 0.,\n       606.1, 241.9, 0., 0., 1. ]"
OPENCV = f"""{OPENCV_HEADER}calibration_time: "Thu 26 Nov 2026"
nframes: 25
image_width: 640
image_height: 480
flags: 0
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: {MATRIX}
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 1.1e-01, -2.3e-01, 7.e-04, -1.e-03, 0. ]
"""


@pytest.mark.parametrize(
    "header", [OPENCV_HEADER, "%YAML:1.0\n", "\n%YAML:1.0\n---\n", "\ufeff%YAML:1.0\r\n---\r\n"]
)
def test_opencv_s_header_stands_before_any_document(tmp_path, header):
    calibration = load(tmp_path, header + TEXT)

    assert calibration == load(tmp_path, TEXT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("camera_matrix", "Camera_Matrix"),  # OpenCV 2 and 3
        ("camera_matrix", "cameraMatrix"),
        ("camera_matrix", "K"),
        ("image_width", "image_Width"),
        ("image_width", "width"),
        ("distortion_coefficients", "Distortion_Coefficients"),
        ("distortion_coefficients", "distCoeffs"),
        (OPENCV_HEADER, "%YAML 1.0\n---\n"),
        (OPENCV_HEADER, ""),
    ],
)
def test_opencv_s_storage_under_the_names_that_it_had(tmp_path, before, after):
    calibration = load(tmp_path, OPENCV.replace(before, after))

    assert (calibration.width, calibration.height) == (640, 480)
    assert calibration.camera_matrix == (607.6, 0, 318.2, 0, 606.1, 241.9, 0, 0, 1)
    assert calibration.distortion_model == "plumb_bob"
    assert calibration.distortion == (0.11, -0.23, 0.0007, -0.001, 0.0)
    assert calibration.rectification_matrix == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert calibration.projection_matrix == (607.6, 0, 318.2, 0, 0, 606.1, 241.9, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("count", "is_fisheye", "model"),
    [
        (4, 0, "plumb_bob"),
        (4, 1, "equidistant"),
        (5, 0, "plumb_bob"),
        (8, 0, "rational_polynomial"),
        (12, 0, "rational_polynomial"),
        (14, 0, "rational_polynomial"),
    ],
)
@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".json"])
def test_what_opencv_itself_writes_is_read(tmp_path, count, is_fisheye, model, suffix):
    path = tmp_path / f"camera{suffix}"
    camera_matrix = np.array([[607.6, 0, 318.2], [0, 606.1, 241.9], [0, 0, 1]])
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("fisheye_model", is_fisheye)
    storage.write("camera_matrix", camera_matrix)
    storage.write("distortion_coefficients", np.linspace(0.01, 0.1, count).reshape(1, count))
    storage.release()

    calibration = load_calibration(path)

    assert calibration.camera_matrix == tuple(camera_matrix.ravel())
    assert calibration.distortion == pytest.approx(np.linspace(0.01, 0.1, count))
    assert calibration.distortion_model == model


def test_a_matrix_alone_is_a_lens_without_distortion(tmp_path):
    calibration = load(tmp_path, OPENCV.partition("distortion_coefficients")[0])

    assert calibration.camera_matrix[0] == 607.6
    assert set(calibration.distortion) == {0.0}


@pytest.mark.parametrize("name", ["fisheye", "equidistant"])
def test_a_fisheye_is_equidistant(tmp_path, name):
    document = yaml.safe_load(TEXT) | {
        "distortion_model": name,
        "distortion_coefficients": matrix(1, 4, 0.1),
    }
    calibration = load(tmp_path, yaml.safe_dump(document))

    assert calibration.distortion_model == "equidistant"
    assert calibration.distortion == (0.1, 0.1, 0.1, 0.1)


KALIBR = """
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [0.1, -0.2, 0.003, 0.004]
  distortion_model: radtan
  intrinsics: [607.6, 606.1, 318.2, 241.9]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""


@pytest.mark.parametrize(
    ("change", "model", "distortion"),
    [
        ({}, "plumb_bob", (0.1, -0.2, 0.003, 0.004, 0.0)),
        ({"distortion_model": "equidistant"}, "equidistant", (0.1, -0.2, 0.003, 0.004)),
        ({"distortion_model": "none", "distortion_coeffs": []}, "plumb_bob", (0.0,) * 5),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_kalibr_s_camera_chain(tmp_path, change, model, distortion, wrapped):
    camera = yaml.safe_load(KALIBR)["cam0"] | change
    calibration = load(tmp_path, yaml.safe_dump({"cam0": camera} if wrapped else camera))

    assert (calibration.width, calibration.height) == (640, 480)
    assert calibration.camera_matrix == (607.6, 0, 318.2, 0, 606.1, 241.9, 0, 0, 1)
    assert (calibration.distortion_model, calibration.distortion) == (model, distortion)
    assert calibration.projection_matrix == (607.6, 0, 318.2, 0, 0, 606.1, 241.9, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"camera_model": "omni"}, "camera_model 'omni' of Kalibr has no counterpart"),
        ({"camera_model": "ds"}, "camera_model 'ds' of Kalibr"),
        ({"distortion_model": "fov"}, "distortion_model 'fov' of Kalibr has no counterpart"),
        ({"intrinsics": [1, 2, 3]}, "intrinsics must be 4 finite numbers"),
        ({"intrinsics": 5}, "intrinsics must be 4 finite numbers"),
        ({"resolution": [640.5, 480]}, "resolution 640.5, 480.0 must be whole numbers"),
        ({"distortion_coeffs": ["x"] * 4}, "distortion_coeffs must be 4 finite numbers"),
    ],
)
def test_what_ros_has_no_name_for_is_refused_by_its_own(tmp_path, change, message):
    camera = yaml.safe_load(KALIBR)["cam0"] | change
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, yaml.safe_dump({"cam0": camera}))


def test_a_chain_of_two_cameras_is_refused_by_their_names(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds several cameras \(cam0, cam1\)"):
        load(tmp_path, KALIBR + KALIBR.replace("cam0:", "cam1:"))


def test_a_camera_without_a_name_has_none(tmp_path):
    assert load(tmp_path, TEXT.replace("narrow_stereo", "")).camera_name == ""


@pytest.mark.parametrize(
    ("size", "factor"), [((1280, 720), 1), ((2560, 1440), 2), ((640, 360), 0.5), ((854, 480), None)]
)
def test_another_size_of_the_same_aspect_is_scaled(tmp_path, size, factor):
    calibration = load(tmp_path, TEXT)
    scaled = calibration.scaled_to(*size)

    across, down = (factor, factor) if factor else (854 / 1280, 480 / 720)
    assert (scaled.width, scaled.height) == size
    assert scaled.camera_matrix == pytest.approx(
        (1000 * across, 0, 640.5 * across, 0, 1001 * down, 360.5 * down, 0, 0, 1)
    )
    assert scaled.projection_matrix == pytest.approx(
        (990 * across, 0, 640.5 * across, 0, 0, 991 * down, 360.5 * down, 0, 0, 0, 1, 0)
    )
    assert scaled.distortion == calibration.distortion
    assert scaled.rectification_matrix == calibration.rectification_matrix


def frame_of(width: int, height: int) -> Frame:
    return Frame(1, 0, np.zeros((height, width, 3), np.uint8), "optical")


def test_pictures_of_another_aspect_are_uncalibrated_and_both_sizes_are_named(tmp_path):
    intrinsics = Intrinsics(load(tmp_path, TEXT))

    message = intrinsics.message_of(frame_of(640, 480))
    assert (message.width, message.height) == (640, 480)
    assert not message.k.any()
    assert not message.p.any()
    assert "1280x720" in intrinsics.refusal
    assert "640x480" in intrinsics.refusal

    assert intrinsics.message_of(frame_of(2560, 1440)).k[0] == 2000.0
    assert intrinsics.refusal == ""
    assert intrinsics.message_of(frame_of(720, 1280)).k[0] == 0.0  # turned on its side
    assert intrinsics.message_of(frame_of(1280, 720)).k[0] == 1000.0


_REFUSED = {
    "D_list.yaml": "distortion_coefficients must have rows, cols and data",
    "empty_D.yaml": "0 numbers; plumb_bob has 4 or 5",
    "equi_ultra5.yaml": "5 numbers; equidistant has 4",
    "ini.yaml": "is INI of camera_calibration",
    "nan.yaml": "all must be there and finite",
    "nested_ros2param.yaml": "is a parameter file of a node",
    "no_P.yaml": "projection_matrix is missing",
    "no_R.yaml": "rectification_matrix is missing",
    "no_distortion_model.yaml": "distortion_model is missing",
    "plumb8_k6.yaml": "8 numbers; plumb_bob has 4 or 5",
    "tabs.yaml": "not YAML",
    "thin_prism.yaml": "'thin_prism_fisheye' is unknown",
    "two_docs.yaml": "not YAML: expected a single document",
    "uncalibrated_zero.yaml": "focal lengths 0.0, 0.0 must be > 0",
    "width_float.yaml": "image_width 640.0 must be a whole number",
}


def test_files_out_of_public_reports(cases):
    folder = cases / "calibrations"
    said = {}
    for path in sorted(folder.iterdir()):
        try:
            calibration = load_calibration(path)
            assert calibration.camera_matrix[0] == 607.6, path
            assert calibration.camera_matrix[4:6] == (606.1, 241.9), path
        except ConfigurationError as error:
            said[path.name] = str(error)
            assert "\n" not in said[path.name]
    assert said.keys() == _REFUSED.keys() & {path.name for path in folder.iterdir()}
    assert {name for name, text in said.items() if _REFUSED[name] not in text} == set()
