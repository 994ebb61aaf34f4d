"""A short soak of the camera node; the long one is `make soak`."""

import pytest
import rtsp_camera
from camera_soak import BACK_S, KINDS, run
from patience import patience

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]


@pytest.mark.long
def test_a_camera_that_fails_all_the_time_comes_back() -> None:
    if rtsp_camera.interpreter() is None:
        pytest.skip(f"GStreamer's RTSP server {rtsp_camera.NOT_INSTALLED}")
    count = 2 * len(KINDS)

    report = run(count, 3.0 * count, 1, lambda _: None)

    assert len(report.incidents) == count
    assert {one.kind for one in report.incidents} == set(KINDS)
    assert report.failures(patience(BACK_S)) == [], report.table()
