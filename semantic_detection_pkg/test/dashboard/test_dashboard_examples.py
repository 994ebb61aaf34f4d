"""The page: examples by a box on a photograph or the live picture, and where words came from."""

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
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from dashboard_client import TOKEN, Served, serve
from patience import patience
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures

from interfaces_pkg.msg import WordExample, WordMeaning, WordsInForce
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX
from semantic_detection_pkg.dashboard.api import commands, connections
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.api.connection_limit import BODY_BYTES_MAX
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame
from semantic_detection_pkg.dashboard.core.words_shown import FramesWith, words_shown

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


def message() -> WordsInForce:
    """Words of every origin, and an example of one that is not in force."""
    kind = WordMeaning
    rows = [
        (0, "person", kind.ORIGIN_PREPARED, 0, 1),
        (1, "yellow raincoat", kind.ORIGIN_ENCODED, 0, 0),
        (2, "rope", kind.ORIGIN_CACHED, 0, 0),
        (3, "raincoat", kind.ORIGIN_ENCODED, 0, 0),
        (3, "rain jacket", kind.ORIGIN_CACHED, 0, 0),
        (4, "boot", kind.ORIGIN_EXAMPLES, 2, 1),
    ]
    meanings = [
        kind(word=word, text=text, origin=origin, positives=yes, negatives=no)
        for word, text, origin, yes, no in rows
    ]
    names = ["person", "yellow raincoat", "rope", "coat", "boot"]
    examples = [WordExample(name=name, is_negative=no) for name, no in (
        ("boot", False), ("boot", False), ("boot", True), ("person", True), ("glove", False),
    )]  # fmt: skip
    asked = ["person", "yellow raincoat", "rope", "coat=raincoat|rain jacket", "boot"]
    return WordsInForce(model="net", words=names, meanings=meanings, examples=examples, asked=asked)


def detector_section(**more: Any) -> dict[str, Any]:
    return {
        "vocabulary": list(message().words),
        "counts": {"boot": 2},
        "frames_with": {"boot": 31, "person": 1, "yellow": 4},
        "proposals": {"classes": ["yellow", "anomaly"], "is_anomaly": True, "colours": ["yellow"]},
        **more,
    }


# ------------------------------------------------------------------------------- without a page


def test_a_message_becomes_rows() -> None:
    shown = words_shown(message())
    assert [one["word"] for one in shown["words"]] == list(message().words)
    assert shown["words"][3] == {
        "word": "coat", "texts": ["raincoat", "rain jacket"], "origins": ["encoded", "cached"],
        "positives": 0, "negatives": 0,
    }  # fmt: skip
    assert shown["known"][0] == {"name": "boot", "positives": 2, "negatives": 1}
    strange = message()
    strange.meanings[0].word = 9
    with pytest.raises(ValueError, match="meaning 'person' is of word 9, there are 5"):
        words_shown(strange)
    other = SimpleNamespace(model="", words=[], meanings=[], examples=[], asked=[], dropped=[])
    assert words_shown(other) == {
        "model": "", "words": [], "known": [], "asked": [], "dropped": [],
    }  # fmt: skip


def test_frames_are_counted_as_long_as_the_words_hold() -> None:
    counted = FramesWith()
    assert counted.add(1, ["a", "a", "b"]) == {"a": 1, "b": 1}
    assert counted.add(1, ["a"]) == {"a": 2, "b": 1}
    assert counted.add(2, []) == {}


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


def test_words_that_are_set_in_a_scan_do_not_begin_it_again(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    served.dashboard.board.put("scan", {"level": "sweep", "coverage": 0.1, "candidates": 0})
    served.robot.outcome = Outcome(CommandStatus.DONE, "")
    page.fill("#words", "tent, boot")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    assert served.robot.commands == [commands.SetWords(words=("tent", "boot"))]
    expect(page.locator("#toasts")).to_contain_text("the scan goes on with these words")


def test_the_field_has_the_words_in_force_whoever_asked_for_them(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    """Another page, or a program, may have; and the last mission may have had others."""
    edges = {"yaw_min_rad": -1.0, "yaw_max_rad": 1.0, "pitch_min_rad": 0.0, "pitch_max_rad": 0.5}
    goal = {
        "area": edges, "words": ["tent"], "is_repeated": False, "weights": [], "planner": "",
        "wanted_pod": 0.0, "zoom": 0.0,
    }  # fmt: skip
    board = served.dashboard.board
    board.put("goal", goal)
    take_control(page, served.address)
    expect(page.locator("#words")).to_have_value("tent")  # no detector is there to say
    board.put("words", words_shown(message()))
    asked = "person, yellow raincoat, rope, coat=raincoat|rain jacket, boot"
    expect(page.locator("#words")).to_have_value(asked)
    board.put("goal", {**goal, "words": ["tent"], "is_repeated": True})
    expect(page.locator("#repeat")).to_be_checked()
    expect(page.locator("#words")).to_have_value(asked)
    page.fill("#words", "rope, glo")  # somebody is writing
    board.put("words", {**words_shown(message()), "asked": ["person"]})
    page.fill("#yaw-max", "50")
    expect(page.locator("#words")).to_have_value("rope, glo")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    board.put("words", {**words_shown(message()), "asked": ["rope", "glove"]})
    expect(page.locator("#words")).to_have_value("rope, glove")


def test_the_button_says_that_nothing_written_means_all(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    expect(page.locator("#set-words")).to_have_text("All words")
    page.fill("#words", "tent")
    expect(page.locator("#set-words")).to_have_text("Set")
    page.fill("#words", " , ")
    expect(page.locator("#set-words")).to_have_text("All words")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    assert served.robot.commands == [commands.SetWords(words=())]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_words_without_room_are_counted_and_named_on_demand(
    page: Page,  # noqa: F811
    served: Served,
    width: int,
    height: int,
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    take_control(page, served.address)
    box = page.locator("#words-dropped")
    expect(box).to_be_hidden()
    dropped = [f"word {number}" for number in range(9, 301)]
    served.dashboard.board.put("detector", detector_section())
    served.dashboard.board.put("words", {**words_shown(message()), "dropped": dropped})
    summary = box.locator("summary")
    expect(summary).to_have_text("292 more asked for: the model has no room for them")
    expect(box.locator("p")).to_be_hidden()
    summary.click()
    expect(box.locator("p")).to_be_visible()
    expect(box.locator("p")).to_have_text(", ".join(dropped))
    served.dashboard.board.put("detector", detector_section(counts={}))
    expect(box.locator("p")).to_be_visible()  # news of the picture do not close it
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def test_without_control_nothing_opens(page: Page, served: Served) -> None:  # noqa: F811
    page.goto(served.address)
    page.click("#take")
    page.click("#take")  # given back
    expect(page.locator("#holder")).not_to_have_text("you hold control")
    drop(page, "boot.jpg", photograph())
    expect(page.locator("#toasts")).to_contain_text("take control first")
    expect(page.locator("#example")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_words_in_force_say_where_they_came_from(
    page: Page,  # noqa: F811
    served: Served,
    width: int,
    height: int,
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    take_control(page, served.address)
    served.dashboard.board.put("detector", detector_section())
    served.dashboard.board.put("words", words_shown(message()))
    rows = page.locator("#word-list li")
    expect(rows).to_have_count(8)
    for row, texts in enumerate(
        (
            ("person", "prepared with the model: 1 unlike it", "seen in 1 frame"),
            ("yellow raincoat", "typed", "not seen yet"),
            ("rope", "typed before", "not seen yet"),
            ("coat", "raincoat | rain jacket, typed, typed before", "not seen yet"),
            ("boot", "by example: 2 like it, 1 unlike it", "2 in the picture, seen in 31 frames"),
            ("yellow", "colour, without a word", "seen in 4 frames"),
            ("anomaly", "anomaly, without a word", "not seen yet"),
            ("glove", "by example: 1 like it", "not looked for"),
        )
    ):  # fmt: skip
        parts = rows.nth(row).locator("b, span")
        expect(parts).to_have_text(list(texts))
    page.locator("#word-list").scroll_into_view_if_needed()
    keep_picture(page, f"words_{width}")
    with page.expect_response("**/api/examples/forget"):
        rows.nth(4).locator("button").click()
    assert served.robot.commands == [commands.ForgetExamples(name="boot")]
    is_wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not is_wider
