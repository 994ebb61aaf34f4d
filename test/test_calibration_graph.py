"""What a camera node says of its lens when its pictures have another size than the calibration."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from ros_graph import GraphProbe
from sensor_msgs.msg import CameraInfo

from ros_support_pkg.qos import EVENT, SENSOR_DATA

pytestmark = [pytest.mark.graph, pytest.mark.timeout(120)]

CAMERA = Path(get_package_prefix("semantic_detection_pkg")) / "lib/semantic_detection_pkg/camera"
#: As OpenCV writes it, at 640x480.
CALIBRATION = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 607.6, 0., 318.2, 0., 606.1, 241.9, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0.11, -0.23, 7e-04, -1e-03, 0. ]
"""


@pytest.fixture
def camera(request, tmp_path: Path, ros_domain: dict[str, str]) -> Iterator[None]:
    """A camera node of pictures of the size that the test asks for."""
    path = tmp_path / "camera.yaml"
    path.write_text(CALIBRATION)
    parameters = (f"source:=fake:{request.param}?rate=10", f"calibration_file:={path}")
    words = [word for one in parameters for word in ("-p", one)]
    process = subprocess.Popen([str(CAMERA), "--ros-args", *words])
    yield
    process.kill()
    process.wait()


@pytest.mark.parametrize("camera", ["1280x960"], indirect=True)
def test_a_calibration_is_scaled_to_the_picture(camera: None, probe: GraphProbe) -> None:
    infos = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)
    probe.wait_for(lambda: infos, "camera_info", 30.0)

    assert (infos[0].width, infos[0].height) == (1280, 960)
    assert list(infos[0].k) == pytest.approx([1215.2, 0, 636.4, 0, 1212.2, 483.8, 0, 0, 1])
    assert list(infos[0].d) == pytest.approx([0.11, -0.23, 7e-4, -1e-3, 0.0])


@pytest.mark.parametrize("camera", ["640x360"], indirect=True)
def test_a_calibration_of_another_aspect_is_not_published(camera: None, probe: GraphProbe) -> None:
    infos = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)
    diagnostics = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def said() -> list[str]:
        texts = [one.message for array in diagnostics for one in array.status]
        return [text for text in texts if "640x480" in text and "640x360" in text]

    probe.wait_for(said, "both sizes", 30.0)
    probe.wait_for(lambda: infos, "camera_info", 30.0)
    assert not any(value for info in infos for value in info.k)
