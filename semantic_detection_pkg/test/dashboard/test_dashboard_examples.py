"""The page: examples by a box on a photograph or the live picture."""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dashboard_client import TOKEN, Served, serve
from patience import patience
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX
from semantic_detection_pkg.dashboard.api import commands, connections
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.api.connection_limit import BODY_BYTES_MAX
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame

BOX = (160, 90, 320, 270)
QUERY = "name=boot&x_min=1&y_min=2&x_max=30&y_max=40"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as started:
        yield started


def photograph(suffix: str = ".jpg", width: int = 640, height: int = 360) -> bytes:
    """A picture file with a boot of a kind."""
    picture = np.full((height, width, 3), (70, 110, 90), np.uint8)
    cv2.rectangle(picture, BOX[:2], BOX[2:], (30, 60, 190), -1)
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


# ------------------------------------------------------------------------------- without a page


def sent(served: Served, query: str = QUERY, body: bytes = b"x", **headers: str) -> Any:
    with served.page() as live:
        viewer = live.news()["me"]["id"]
        assert (
            served.post("/api/operator", {"is_taken": True}, **{"X-Viewer": viewer}).status == 200
        )
        return served.post(f"/api/examples?{query}", body, **{"X-Viewer": viewer, **headers})


def test_a_picture_of_some_megabytes_comes_whole(served: Served) -> None:
    picture = np.random.default_rng(0).integers(0, 256, 6_000_000, np.uint8).tobytes()
    reply = sent(served, f"{QUERY}&is_negative=true", picture)
    assert (reply.status, reply.json) == (200, {"message": "done"})
    (command,) = served.robot.commands
    assert isinstance(command, commands.ShowExample)
    assert command.picture == picture
    assert (command.name, command.is_negative) == ("boot", True)
    assert (command.x_min, command.y_min, command.x_max, command.y_max) == (1.0, 2.0, 30.0, 40.0)


@pytest.mark.parametrize(
    ("query", "body", "status", "said"),
    [
        (QUERY, b"", 422, "no picture came: JPEG, PNG or WebP of at most 64 MiB"),
        (QUERY.replace("x_max=30", "x_max=1"), b"x", 422, "box 1, 2, 1, 40 px: a box of some area"),
        (QUERY.replace("x_max=30", "x_max=nan"), b"x", 422, "x_max"),
        (QUERY.replace("name=boot", "name="), b"x", 422, "name: "),
        ("name=boot", b"x", 422, "x_min: Field required"),
        (f"{QUERY}&more=1", b"x", 422, "more: "),
    ],
)
def test_what_is_no_example_is_one_line(
    served: Served, query: str, body: bytes, status: int, said: str
) -> None:
    reply = sent(served, query, body)
    assert reply.status == status
    assert said in reply.json["detail"]
    assert "\n" not in reply.json["detail"]
    assert served.robot.commands == []


def test_more_than_the_robot_takes_is_refused_before_it_is_read(served: Served) -> None:
    length = str(EXAMPLE_BYTES_MAX + 1)
    reply = sent(served, body=b"x", **{"Content-Length": length})
    assert reply.status == 413
    assert f"at most {EXAMPLE_BYTES_MAX} are allowed" in reply.json["detail"]


def test_a_large_picture_may_come_slowly_and_nothing_else(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", patience(0.5))
    part, count = b"x" * 15_000, 4

    def pieces() -> Iterator[bytes]:
        for _ in range(count):
            yield part
            threading.Event().wait(patience(0.3))

    with served.page() as live:
        own = {"X-Viewer": live.news()["me"]["id"]}
        assert served.post("/api/operator", {"is_taken": True}, **own).status == 200
        own["Content-Length"] = str(count * len(part))
        reply = served.request("POST", f"/api/examples?{QUERY}", pieces(), own)
        assert reply.status == 200
        assert served.robot.commands[-1].picture == count * part
        late = None
        with contextlib.suppress(OSError, http.client.HTTPException):  # closed while it is sent
            late = served.request("POST", "/api/vocabulary", pieces(), own)
        assert late is None or late.status == 408


def test_only_who_may_control_may_send_much(tmp_path: Path) -> None:
    with serve(tmp_path, token=TOKEN, is_viewing_open=True) as served:
        body = b"x" * (BODY_BYTES_MAX + 1)
        reply = served.post(f"/api/examples?{QUERY}", body)
        assert reply.status in (401, 413)
        assert served.robot.commands == []
        served.headers["Authorization"] = f"Bearer {TOKEN}"
        assert served.post(f"/api/examples?{QUERY}", body).status == 409  # does not hold control
        assert sent(served, body=body).status == 200


@contextlib.contextmanager
def showing(served: Served, image: np.ndarray, found: Detections) -> Iterator[None]:
    """Frames come, as from a camera."""
    is_ending = threading.Event()

    def offer() -> None:
        for number in itertools.count(1):
            labels = ("thing",) * len(found)
            scene = ShownFrame(number, time.monotonic(), image, found, labels, None)
            served.dashboard.pictures.offer(scene)
            if is_ending.wait(0.05):
                return

    camera = threading.Thread(target=offer)
    camera.start()
    yield
    is_ending.set()
    camera.join()


def test_the_plain_picture_is_the_frame_in_full(served: Served) -> None:
    image = np.random.default_rng(1).integers(0, 60, (1080, 1920, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    boxes = np.array([[100, 100, 900, 900]], np.float32)
    found = Detections(1920, 1080, np.zeros(1, np.uint16), np.ones(1, np.float32), boxes)
    with showing(served, image, found):
        plain, drawn = (served.get(f"/api/picture{more}").body for more in ("?plain=true", ""))
    shown, with_box = (
        cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in (plain, drawn)
    )
    assert shown.shape == image.shape
    assert np.abs(shown.astype(int) - image).max() < 12  # nothing is drawn
    assert with_box.max() > 100
    assert with_box.shape[1] < 1920


# ------------------------------------------------------------------------------------ the page


def drop(page: Page, name: str, content: bytes, kind: str = "") -> None:  # noqa: F811
    """Drop a file onto the page as a hand does."""
    data = base64.b64encode(content).decode()
    transfer = page.evaluate_handle(
        """([data, name, type]) => {
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type }));
            return transfer;
        }""",
        [data, name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#mission", event, {"dataTransfer": transfer})


def draw(page: Page, box: tuple[int, ...], width: int = 640) -> None:  # noqa: F811
    """Drag a box, given in pixels of the picture."""
    shown = page.locator("#example-picture").bounding_box()
    assert shown is not None
    scale = shown["width"] / width
    corners = [(shown["x"] + box[i] * scale, shown["y"] + box[i + 1] * scale) for i in (0, 2)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=3)
    page.mouse.up()


def keep_picture(page: Page, name: str) -> None:  # noqa: F811
    """Keep what the page looks like, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_photograph_that_is_dropped_becomes_an_example(
    page: Page,  # noqa: F811
    served: Served,
    suffix: str,
) -> None:
    take_control(page, served.address)
    content = photograph(suffix)
    drop(page, f"boot{suffix}", content, f"image/{suffix[1:]}")
    expect(page.locator("#example")).to_be_visible()
    expect(page.locator("#example-of")).to_have_text(f"boot{suffix}")
    expect(page.locator("#example-send")).to_be_disabled()
    draw(page, BOX)
    page.fill("#example-name", "boot")
    keep_picture(page, "example")
    with page.expect_response("**/api/examples?**") as response:
        page.click("#example-send")
    assert response.value.status == 200
    (command,) = served.robot.commands
    assert isinstance(command, commands.ShowExample)
    assert command.picture == content  # as it is, with its EXIF
    assert not command.is_negative
    found = (command.x_min, command.y_min, command.x_max, command.y_max)
    assert np.abs(np.subtract(found, BOX)).max() < 2.0
    expect(page.locator("#example-note")).to_contain_text("A boot, that is. done. Draw another box")
    # What it is not, on the same picture.
    draw(page, (400, 40, 600, 300))
    page.check("#example-not")
    with page.expect_response("**/api/examples?**"):
        page.click("#example-send")
    assert served.robot.commands[-1].is_negative
    with page.expect_response("**/api/gimbal/stop"):
        page.click("#stop")  # in reach all the time
    assert isinstance(served.robot.commands[-1], commands.Stop)
    page.click("#example-done")
    expect(page.locator("#example")).to_be_hidden()


def test_a_photograph_is_chosen_and_a_phones_is_turned_upright(
    page: Page,  # noqa: F811
    served: Served,
    tmp_path: Path,
) -> None:
    """A box is of the upright picture, as the robot turns it, too."""
    from PIL import Image

    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (640, 360), (90, 110, 70)).save(path, exif=exif)
    page.set_viewport_size({"width": 390, "height": 844})
    take_control(page, served.address)
    page.set_input_files("#example-file", str(path))
    expect(page.locator("#example-picture")).to_have_js_property("width", 360)
    expect(page.locator("#example-picture")).to_have_js_property("height", 640)
    draw(page, (100, 200, 300, 600), width=360)
    page.fill("#example-name", "boot")
    keep_picture(page, "example_phone")
    with page.expect_response("**/api/examples?**"):
        page.click("#example-send")
    command = served.robot.commands[-1]
    found = (command.x_min, command.y_min, command.x_max, command.y_max)
    assert np.abs(np.subtract(found, (100, 200, 300, 600))).max() < 3.0


def test_bad_files_and_boxes_are_one_line(page: Page, served: Served) -> None:  # noqa: F811
    take_control(page, served.address)
    for name, content, said in (
        (
            "notes.txt",
            b"no picture at all",
            "notes.txt: is no picture that is taken: JPEG, PNG, WebP",
        ),
        ("boot.jpg", b"<html>not found</html>", "boot.jpg: is no picture that is taken"),
        ("moving.gif", b"GIF89a" + bytes(30), "moving.gif: is no picture that is taken"),
        ("empty.png", b"", "empty.png: the file is empty"),
        ("broken.png", photograph(".png")[:60], "broken.png: is damaged, it cannot be shown"),
    ):
        drop(page, name, content)
        expect(page.locator("#toasts p", has_text=said)).to_be_visible()
        expect(page.locator("#example")).to_be_hidden()
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            const large = new File([], "large.jpg");
            Object.defineProperty(large, "size", { value: 80 * 2 ** 20 });
            const event = new Event("drop", { bubbles: true, cancelable: true });
            const dataTransfer = { types: ["Files"], files: [large] };
            Object.defineProperty(event, "dataTransfer", { value: dataTransfer });
            document.body.dispatchEvent(event);
        }"""
    )
    said = "large.jpg: has 80 MiB, at most 64 are taken"
    expect(page.locator("#toasts p", has_text=said)).to_be_visible()
    drop(page, "boot.jpg", photograph())
    draw(page, (50, 50, 50, 200))
    expect(page.locator("#example-note")).to_contain_text("That box has no area")
    expect(page.locator("#example-send")).to_be_disabled()
    draw(page, BOX)
    page.click("#example-send")
    expect(page.locator("#example-note")).to_have_text("Give it a name.")
    assert served.robot.commands == []
    refusal = "example of 'boot': no example network lies beside net.onnx"
    served.robot.outcome = Outcome(CommandStatus.REFUSED, refusal)
    page.fill("#example-name", "boot")
    page.click("#example-send")
    expect(page.locator("#example-note")).to_have_text(refusal)
    expect(page.locator("#example-send")).to_be_enabled()


def test_a_box_on_the_live_picture_is_of_the_frame_as_it_came(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    image = cv2.imdecode(np.frombuffer(photograph(), np.uint8), cv2.IMREAD_COLOR)
    with showing(served, image, Detections.none(640, 360)):
        page.click("#example-live")
        expect(page.locator("#example-of")).to_have_text("the picture of now")
    draw(page, BOX)
    page.fill("#example-name", "boot")
    with page.expect_response("**/api/examples?**"):
        page.click("#example-send")
    command = served.robot.commands[-1]
    shown = cv2.imdecode(np.frombuffer(command.picture, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - image).max() < 40  # JPEG, at edges


def test_in_a_scan_a_class_that_was_shown_is_looked_for_at_once(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    served.dashboard.board.put("scan", {"level": "sweep", "coverage": 0.1, "candidates": 0})
    served.robot.outcome = Outcome(CommandStatus.DONE, "")
    page.fill("#words", "person, tent")  # somebody is writing
    drop(page, "boot.jpg", photograph())
    draw(page, BOX)
    page.fill("#example-name", "boot")
    page.click("#example-send")
    expect(page.locator("#example-note")).to_contain_text("The scan looks for it from now on.")
    expect(page.locator("#words")).to_have_value("person, tent, boot")
    assert [type(one) for one in served.robot.commands] == [commands.ShowExample]


def test_without_control_nothing_opens(page: Page, served: Served) -> None:  # noqa: F811
    page.goto(served.address)
    page.click("#take")
    page.click("#take")  # given back
    expect(page.locator("#holder")).not_to_have_text("you hold control")
    drop(page, "boot.jpg", photograph())
    expect(page.locator("#toasts")).to_contain_text("take control first")
    expect(page.locator("#example")).to_be_hidden()
