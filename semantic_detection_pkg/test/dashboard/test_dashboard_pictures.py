"""Pictures and news: one encode for all, the newest first, the slow cost nothing."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from dashboard_client import TIMEOUT_S, Served, serve
from patience import patience
from test_dashboard_control import wait_for

from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.dashboard.api import api
from semantic_detection_pkg.dashboard.api.pictures import (
    PictureMaker,
    ShownFrame,
    cut,
    make_picture,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("pictures")) as running:
        yield running


def scene(width: int, height: int) -> ShownFrame:
    box = [width * 0.25, height * 0.25, width * 0.5, height * 0.5]
    ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]]]
    found = Detections(width, height, [0], [0.9], [box], MaskRings.from_rings([[ring]]))
    image = np.zeros((height, width, 3), np.uint8)
    return ShownFrame(7, 0.0, image, found, ("tent 0.90",), None)


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("size", "made"), [((320, 200), (320, 200)), ((1600, 900), (640, 360))])
def test_scene_is_scaled_and_drawn_without_touching_the_frame(size, made):
    given = scene(*size)
    picture = make_picture(given, width_max=640, quality=80)
    image = decoded(picture.jpeg)
    assert image.shape[:2] == (made[1], made[0])
    assert image[round(0.26 * made[1]), round(0.45 * made[0])].max() > 40  # the mask's tint
    assert image[round(0.9 * made[1]), round(0.9 * made[0])].max() < 20
    assert not given.image.any()


def test_tiles_that_were_looked_at_are_outlined_and_the_whole_is_not():
    looks = (Look(0, 0, 320, 200, 2.0), Look(200, 100, 300, 180, 4.0))
    image = decoded(make_picture(replace(scene(320, 200), looks=looks), 640, 95).jpeg)
    assert image[100, 230:290].max() > 100
    assert image[110:170, 299].max() > 100
    assert image[0, :].max() < 30


def test_part_of_a_picture_is_cut_in_the_frames_pixels():
    picture = make_picture(scene(1600, 900), width_max=640, quality=90)
    part = decoded(cut(picture, (400, 225, 800, 450)))
    assert max(part.shape) == 192
    assert part.max() > 60
    assert cut(picture, (5000, 5000, 5100, 5100)) is None


def test_everybody_gets_the_same_picture_encoded_once(served):
    with served.page() as first, served.page() as second:
        for page in (first, second):
            page.send({"look": True})
        wait_for(lambda: served.robot.is_watched, "somebody to look")
        encoded = served.dashboard.pictures.encoded
        for number in range(1, 6):
            served.show(number)
            shown = [page.picture() for page in (first, second)]
            assert [header["stamp_ns"] for header, _ in shown] == [str(number)] * 2
            assert shown[0][1] == shown[1][1]
        assert served.dashboard.pictures.encoded == encoded + 5


def test_nobody_looks_nothing_is_watched(served):
    with served.page() as page:
        page.news()
        wait_for(lambda: not served.robot.is_watched, "the last test's page to go")
        page.send({"look": True})
        wait_for(lambda: served.robot.is_watched, "looking")
        page.send({"look": False})
        wait_for(lambda: not served.robot.is_watched, "not looking")
        page.send({"look": True})
        wait_for(lambda: served.robot.is_watched, "looking again")
    wait_for(lambda: not served.robot.is_watched, "the end of the page")


def test_viewer_that_confirms_nothing_gets_two_pictures_and_holds_up_nobody(served):
    with served.page() as slow, served.page() as fast:
        fast.send({"look": True})  # first: it waits for each picture, and must not miss one
        wait_for(lambda: served.robot.is_watched, "somebody to look")
        slow.send({"look": True})
        for number in range(1, 31):
            served.show(number)
            assert fast.picture()[0]["stamp_ns"] == str(number)
        # What the slow one was sent lies ready: two pictures, one state.
        got = [slow.read(is_confirmed=False) for _ in range(3)]
        assert sum(bool(jpeg) for _, jpeg in got) == 2
        with pytest.raises(TimeoutError):
            slow.socket.recv(0.3)
        slow.send({"ack": next(message["n"] for message, jpeg in got if jpeg)})
        assert slow.picture()[0]["stamp_ns"] == "30"  # not one that waited


def test_news_are_what_changed(served):
    with served.page() as page:
        assert "operator" in page.news()["sections"]
        served.dashboard.board.put("scan", {"level": "sweep"})
        news, _ = page.until(lambda news, _: "scan" in news["sections"])
        assert news["sections"]["scan"] == {"level": "sweep"}
        assert "operator" not in news["sections"]
        assert 0.0 <= news["ages"]["scan"] < patience(5.0)
    assert served.get("/api/state/scan").json == {"level": "sweep"}
    assert served.get("/api/state/nothing").status == 404


def test_picture_for_one_request(served, monkeypatch):
    monkeypatch.setattr(api, "_PICTURE_TIMEOUT_S", TIMEOUT_S)
    stop = threading.Event()

    def robot() -> None:
        number = 0
        while not stop.wait(0.02):
            if served.robot.is_watched:
                served.show(number := number + 1)

    thread = threading.Thread(target=robot)
    thread.start()
    try:
        reply = served.get("/api/picture")
    finally:
        stop.set()
        thread.join()
    assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg")
    assert decoded(reply.body).shape == (64, 64, 3)
    wait_for(lambda: not served.robot.is_watched, "not looking")


def test_thumbnail_of_a_finding(served):
    assert served.get("/api/findings/f1/thumbnail").status == 404
    pictures = served.dashboard.pictures
    encoded = pictures.encoded
    served.show(5)
    wait_for(lambda: pictures.encoded > encoded, "a picture")
    pictures.want_crop("a/b", 5, (10.0, 10.0, 30.0, 30.0))
    pictures.want_crop("unseen", 999, (10.0, 10.0, 30.0, 30.0))
    wait_for(lambda: pictures.crop("a/b"), "the crop")
    assert pictures.crop("unseen") is None


def test_newest_scene_wins():
    gate = threading.Event()
    made: list[int] = []

    def publish(picture) -> None:
        made.append(picture.stamp_ns)
        gate.wait(TIMEOUT_S)

    maker = PictureMaker(publish)
    try:
        small = scene(64, 64)
        for number in range(1, 4):
            maker.offer(ShownFrame(number, 0.0, small.image, None, (), None))
            if number == 1:
                wait_for(lambda: made, "the first picture")
        gate.set()
        wait_for(lambda: len(made) == 2, "the second picture")
        assert (made, maker.dropped) == ([1, 3], 1)
    finally:
        gate.set()
        maker.close()
