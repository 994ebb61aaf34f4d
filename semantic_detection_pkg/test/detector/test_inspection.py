"""The detector's closer look: which frames and boxes it answers about, and when it refuses."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from interfaces_pkg.srv import InspectFrame
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.detector.ros.inspection import FrameInspector
from semantic_detection_pkg.errors import ModelError

MODEL = Path(__file__).parents[3] / "models" / "demo" / "demo_classifier.onnx"
IMAGE = np.full((90, 160, 3), 200, np.uint8)
BOX = (40.0, 20.0, 80.0, 60.0)


class Services:
    """Stands in for the node: the service is called as a function."""

    def create_service(self, kind, name, handler, **_):
        assert (kind, name) == (InspectFrame, "detector/inspect")
        self._handler = handler

    def ask(self, stamp_ns=2, box=BOX) -> InspectFrame.Response:
        request = InspectFrame.Request(frame=to_time(stamp_ns), box_xyxy=list(box))
        return self._handler(request, InspectFrame.Response())


@pytest.fixture
def service():
    return Services()


@pytest.fixture
def inspector(service):
    made = FrameInspector(service, frames_kept=2)
    made.load("", engine="fake", threads=0)
    made.open()
    for stamp_ns in (1, 2, 3):
        made.keep(stamp_ns, IMAGE, "camera")
    return made


def test_without_a_classifier_there_is_still_a_picture(inspector, service):
    answer = service.ask()
    assert answer.success
    inspection = answer.inspection
    assert (from_time(inspection.frame), inspection.model) == (2, "")
    assert (list(inspection.labels), list(inspection.box_xyxy)) == ([], list(BOX))
    picture = cv2.imdecode(np.frombuffer(bytes(inspection.crop.data), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (384, 384, 3)
    assert from_time(inspection.crop.header.stamp) == 2


def test_the_classifier_names_the_part(inspector, service):
    inspector.load(str(MODEL), engine="onnxruntime", threads=1)
    inspector.open()
    inspector.keep(2, IMAGE, "camera")
    inspection = service.ask().inspection
    assert inspection.model == "demo_classifier.onnx"
    assert len(inspection.labels) == len(inspection.probabilities) == 12
    assert sum(inspection.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert list(inspection.probabilities) == sorted(inspection.probabilities, reverse=True)


def test_it_tells_which_classifier_it_has_and_whether_that_knows_a_word(inspector, tmp_path):
    assert inspector.summary == inspector.fallback == ""
    assert not inspector.has_no_word_of(["tree"]), "without a classifier nothing is amiss"
    inspector.load(str(MODEL), engine="onnxruntime", threads=1)
    assert inspector.summary.startswith("classifier demo_classifier.onnx, no table of words, its ")
    assert not inspector.has_no_word_of(["submarine", "person"])
    assert inspector.has_no_word_of(["submarine", "fork"])
    inspector.load("any", engine="fake", threads=0)
    assert inspector.summary == "classifier any"
    assert not inspector.has_no_word_of(["submarine"]), "a plug-in's need not tell"


@pytest.mark.parametrize(
    ("stamp_ns", "box", "message"),
    [
        (1, BOX, "frame 1 ns is not held; held are 2 to 3"),
        (2, (80.0, 20.0, 40.0, 60.0), "a box that shows part of the picture of 160x90 px is"),
        (2, (200.0, 20.0, 240.0, 60.0), "box 200, 20, 240, 60 px: a box that shows part"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_the_reason(
    inspector, service, stamp_ns, box, message
):
    answer = service.ask(stamp_ns, box)
    assert not answer.success
    assert message in answer.message


def test_while_the_gpu_is_lent_nothing_is_looked_at(inspector, service):
    inspector.close()
    answer = service.ask()
    assert not answer.success
    assert answer.message == "the detector is not active, so the GPU may not be used"
    inspector.open()
    assert service.ask().message == "frame 2 ns is not held; held are none"


def test_a_classifier_that_is_none_is_an_error_at_the_start(inspector, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match="broken.onnx"):
        inspector.load(str(broken), engine="onnxruntime", threads=1)
