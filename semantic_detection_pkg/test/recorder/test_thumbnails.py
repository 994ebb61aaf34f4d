"""Pictures of findings by the hundred: each frame is decoded once, whatever it shows."""

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time

from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.overlay import draw_overlay
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.evidence import mission_content, pictures
from semantic_detection_pkg.recorder.evidence.content import EvidenceFrame
from semantic_detection_pkg.recorder.evidence.pictures import thumbnails
from semantic_detection_pkg.scan.core.inputs import FrameDetections

S = 1_000_000_000


def frame_of(stamp_ns: int, count: int, width: int = 640, height: int = 360) -> EvidenceFrame:
    """A frame with things side by side and one above the other, some at its edges."""
    random = np.random.default_rng([count, stamp_ns])
    image = random.integers(0, 255, (height, width, 3)).astype(np.uint8)
    done, jpeg = cv2.imencode(".png", image)  # no losses
    assert done
    corners = random.uniform((-10.0, -10.0), (width - 20.0, height - 20.0), (count, 2))
    boxes = np.concatenate([corners, corners + 30.0], axis=1).astype(np.float32)
    boxes = np.clip(boxes, 0.0, [width, height] * 2).astype(np.float32)
    rings = [[np.array([[a, b], [c, b], [c, d]], np.float32)] for a, b, c, d in boxes]
    found = Detections(
        width, height, np.zeros(count, np.uint16), np.linspace(0.9, 0.5, count, dtype=np.float32),
        boxes, MaskRings.from_rings(rings),
    )  # fmt: skip
    frame = FrameDetections(stamp_ns, found, ("a thing with a long name",))
    return EvidenceFrame(RecordedPicture(stamp_ns, jpeg.tobytes()), frame, None)


def findings_of(frame: EvidenceFrame) -> list[Any]:
    found = frame.detections.detections
    return [
        SimpleNamespace(
            id=f"{frame.picture.stamp_ns}-{number}",
            class_name="a thing with a long name",
            best_box_xyxy=box,
            best_frame=to_time(frame.picture.stamp_ns),
            bearing=SimpleNamespace(yaw_rad=0.0, pitch_rad=0.0),
            header=SimpleNamespace(stamp=Time()),
            tiers=[],
            score=float(score),
            state=0,
            position=[],
        )
        for number, (box, score) in enumerate(zip(found.boxes_xyxy, found.scores, strict=True))
    ]


@pytest.mark.parametrize(("width", "height"), [(640, 360), (96, 64), (1280, 960)])
def test_each_shows_its_own_thing_drawn_as_in_the_whole_frame(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(pictures, "_jpeg", lambda image: shown.append(image.copy()) or b"jpeg")
    monkeypatch.setattr(pictures, "resized", lambda image, *_: image)
    frame = frame_of(S, 12, width, height)
    findings = findings_of(frame)
    thumbnails(frame, findings)
    image = cv2.imdecode(np.frombuffer(frame.picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    recorded = frame.detections
    for index, (finding, found) in enumerate(zip(findings, shown, strict=True)):
        whole = draw_overlay(image, recorded.detections.take([index]), recorded.vocabulary)
        cut = pictures.square_around(finding.best_box_xyxy, image, 2.2, 52.0)
        assert np.array_equal(found, whole[cut])


@pytest.mark.parametrize("frames", [2, 8])
def test_a_report_decodes_each_picture_once(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    decoded: list[str] = []
    decode = pictures.decode_picture
    monkeypatch.setattr(
        pictures, "decode_picture", lambda data, name: decoded.append(name) or decode(data, name)
    )
    held = {number * S: frame_of(number * S, 25) for number in range(1, frames + 1)}
    findings = [one for frame in held.values() for one in findings_of(frame)]
    reader = SimpleNamespace(path="bag", start_ns=0, end_ns=1, counts=dict)
    monkeypatch.setattr(mission_content, "read_evidence_frames", lambda *_: held)
    monkeypatch.setattr(mission_content, "_row", lambda finding, jpeg, _: (finding, jpeg))
    monkeypatch.setattr(mission_content, "state_of", lambda _: "confirmed")
    shares: list[float] = []
    content = mission_content.read_mission(
        reader, "/", findings, {}, lambda _, share: shares.append(share), None, 0
    )
    assert len(decoded) == len(set(decoded)) == frames
    assert len(content.rows) == 25 * frames
    assert all(jpeg for _, jpeg in content.rows)
    assert len({jpeg for _, jpeg in content.rows}) == len(content.rows)
    scores = [finding.score for finding, _ in content.rows]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_what_is_not_found_in_its_frame_has_the_frame() -> None:
    frame = frame_of(S, 3)
    strange, *others = findings_of(frame)
    strange.class_name, strange.best_box_xyxy = "boat", (0.0, 0.0, 0.0, 0.0)
    found = thumbnails(frame, [strange, *others])
    sizes = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR).shape for one in found]
    assert sizes[0] == (360, 640, 3)
    assert {size[1] for size in sizes[1:]} != {640}
