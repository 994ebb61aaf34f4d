"""`search_archive --example`: what a box in a picture shows, looked for in recordings."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import archive_things as things
import cv2
import numpy as np
import pytest
import text_encoders

from semantic_detection_pkg.archive.answer_files import from_bytes
from semantic_detection_pkg.archive.core.question import Example, Question
from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
from semantic_detection_pkg.archive.workers.looking import load, look
from semantic_detection_pkg.cli.archive_options import make_parser
from semantic_detection_pkg.cli.search_archive import _question, main
from semantic_detection_pkg.recorder.evidence.content import latest_findings
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader

pytestmark = pytest.mark.usefixtures("no_progress")

SPOTS = (things.Spot("green", 2, 3), things.Spot("magenta", 5, 5, 20, 60))
MAGENTA, ORANGE = (255, 0, 255), (0, 128, 255)  # BGR
BOX = "16,32,32,48"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Knows red, green and blue, and has an example network beside it."""
    return text_encoders.prompt_model_with_text(tmp_path)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 pictures in 20 s with a green thing and one of a colour without a word."""
    return things.write_bag(tmp_path_factory.mktemp("bag") / "flight", spots=SPOTS)


@pytest.fixture
def jacket(tmp_path: Path) -> Path:
    return patch(tmp_path / "jacket.png", MAGENTA)


def patch(path: Path, colour: tuple[int, int, int]) -> Path:
    """A picture of 64 x 64 px, black, with one colour in `BOX`."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[32:48, 16:32] = colour
    cv2.imwrite(str(path), image)
    return path


def run(*words: object) -> int:
    return main([str(word) for word in words])


def question_of(*words: object) -> Question:
    return _question(make_parser().parse_args(["recording", *map(str, words)]))


def digest_of(text: str) -> str:
    found = re.search(r"findings sha256 ([0-9a-f]{64})", text)
    assert found is not None, text
    return found[1]


def names_in(out: Path) -> list[str]:
    with BagReader(out / "findings") as reader:
        return sorted(one.class_name for one in latest_findings(reader, "/"))


def answers_in(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "answers").iterdir()}


def test_an_example_alone_finds_its_thing_and_nothing_else(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    digests = set()
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        asked = ("--model", model, "--output", out, "--workers", count)
        assert run(bag, *asked, "--example", f"{jacket}:{BOX}=jacket") == 0
        said = capfd.readouterr()
        assert said.err == ""
        assert "80 pictures looked through: 1 confirmed" in said.out
        digests.add(digest_of(said.out))
        assert names_in(out) == ["jacket"]
    assert len(digests) == 1
    assert "Looked for jacket" in (out / "findings/report.html").read_text()
    with BagReader(out / "findings") as reader:
        (finding,) = latest_findings(reader, "/")
    x0, y0, x1, y1 = finding.best_box_xyxy
    middle = things.CELL_PX * 5.5
    assert x0 < middle < x1
    assert y0 < middle < y1


def test_words_and_examples_together(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ("--model", model, "--output", out, "--workers", 1)
    assert run(bag, *asked, "--words", "Green", "--example", f"{jacket}:{BOX}=jacket") == 0
    assert "80 pictures looked through: 2 confirmed" in capfd.readouterr().out
    assert names_in(out) == ["green", "jacket"]
    assert "Looked for Green, jacket" in (out / "findings/report.html").read_text()


def test_an_example_without_a_name(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ("--model", model, "--output", out, "--workers", 1)
    assert run(bag, *asked, "--example", f"{jacket}:{BOX}") == 0
    assert capfd.readouterr().err == ""
    assert names_in(out) == ["example"]


@pytest.mark.long
def test_what_was_answered_is_taken_up_and_another_example_is_another_search(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By what the box shows: the picture may lie elsewhere."""
    out = tmp_path / "out"
    asked = ("--model", model, "--output", out, "--workers", 1)
    assert run(bag, *asked, "--example", f"{jacket}:{BOX}=jacket") == 0
    first, kept = digest_of(capfd.readouterr().out), answers_in(out)
    moved = jacket.rename(tmp_path / "elsewhere.png")
    assert run(bag, *asked, "--example", f"{moved}:{BOX}=jacket") == 0
    assert digest_of(capfd.readouterr().out) == first
    assert answers_in(out) == kept
    other = patch(tmp_path / "other.png", (0, 255, 0))
    assert run(bag, *asked, "--example", f"{other}:{BOX}=jacket") == 0
    assert digest_of(capfd.readouterr().out) != first
    assert len(answers_in(out)) == 2 * len(kept)
    assert kept.items() <= answers_in(out).items()


def test_the_key_tells_questions_apart_by_their_examples(bag: Path, model: Path) -> None:
    unit = next(iter(open_path(bag, SourceOptions()).units()))
    plain = things.question(model, ["green"])
    assert "examples" not in plain.identity  # so what was answered before is still found
    one, two = (np.array(v, "<f4").tobytes() for v in ([1, 0, 0], [0, 1, 0]))
    told = [
        (),
        (Example("boot", one),),
        (Example("boot", two),),
        (Example("boot", one, is_negative=True),),
        (Example("coat", one),),
        (Example("boot", one), Example("boot", two)),
    ]
    keys = {unit.key(replace(plain, examples=examples)) for examples in told}
    assert len(keys) == len(told)
    assert unit.key(replace(plain, examples=told[1])) == unit.key(replace(plain, examples=told[1]))


def test_who_looks_needs_neither_picture_nor_example_network(
    bag: Path, model: Path, jacket: Path
) -> None:
    """They are on another machine: what comes there is the question as bytes."""
    asked = question_of("--model", model, "--example", f"{jacket}:{BOX}=jacket")
    sent = pickle.dumps(asked)
    jacket.unlink()
    model.with_name("prompts.example.onnx").unlink()
    assert str(jacket).encode() not in sent
    units = open_path(bag, SourceOptions()).units()
    answers = [from_bytes(look(pickle.loads(sent), unit)) for unit in units]
    assert {answer.vocabulary for answer in answers} == {("jacket",)}
    seen = sum(len(frame.detections) > 0 for answer in answers for frame in answer.frames)
    assert seen == 40


def test_several_of_a_name_are_averaged_and_what_it_is_not_lowers(
    tmp_path: Path, model: Path, jacket: Path
) -> None:
    """As the detector does it: the same class as with `detect --example`."""
    wood = patch(tmp_path / "wood.png", ORANGE)
    blue = patch(tmp_path / "blue.png", (255, 0, 0))
    texts = [f"{jacket}:{BOX}=boot", f"{blue}:{BOX}=Boot", f"{wood}:{BOX}!=boot"]
    words = [word for text in texts for word in ("--example", text)]
    asked = question_of("--model", model, *words)
    assert asked.asked == ("boot",)
    assert [one.is_negative for one in asked.examples] == [False, False, True]
    mean = np.mean([np.frombuffer(one.embedding, "<f4") for one in asked.examples[:2]], axis=0)
    mean /= np.linalg.norm(mean)
    negative = np.frombuffer(asked.examples[2].embedding, "<f4")
    with load(asked) as detector:
        assert detector.pipeline.vocabulary == ("boot",)
        found = detector.pipeline._words._embedding("boot")
    assert found @ mean == pytest.approx(1.0, abs=1e-5)
    assert abs(found @ negative) < 1e-5 < mean @ negative
    # A word of the model may be told what it is not.
    asked = question_of("--model", model, "--words", "Red", "--example", f"{wood}:{BOX}!=red")
    with load(asked) as detector:
        assert detector.pipeline.vocabulary == ("red",)


def test_no_room_is_said(tmp_path: Path, jacket: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = text_encoders.prompt_model_with_text(tmp_path, capacity=2)
    example = ("--example", f"{jacket}:{BOX}=jacket")
    question_of("--model", small, "--words", "red,green", *example)
    line = "the first 2 of 3 words are looked for, the model has room for no more; dropped: jacket"
    assert capfd.readouterr().err == f"search_archive: vocabulary: {line}\n"
    # Alone there is room, though the model knows more words than it takes at a time.
    with load(question_of("--model", small, *example)) as detector:
        assert detector.pipeline.vocabulary == ("jacket",)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("words", ["Green", "grass=green", "green|rope", "g=green|rope"])
def test_words_are_found_however_they_are_typed(
    tmp_path: Path, model: Path, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = things.write_pictures(tmp_path / "photos", 4, SPOTS[:1])
    asked = ("--model", model, "--output", tmp_path / "out", "--workers", 1)
    assert run(photos, *asked, "--words", words) == 0
    assert "4 pictures looked through: nothing" not in capfd.readouterr().out
    name = words.partition("=")[0].partition("|")[0]
    assert set(names_in(tmp_path / "out")) == {"green" if name == "Green" else name}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{shown}:16,32,32=boot"], "PICTURE:x0,y0,x1,y1=NAME is needed"),
        (["{shown}"], "PICTURE:x0,y0,x1,y1=NAME is needed"),
        (["{shown}:16,32,32,48="], "PICTURE:x0,y0,x1,y1=NAME is needed"),
        (["{shown}:1,1,1,9=boot"], "box 1, 1, 1, 9 px: a box of some area"),
        (["{shown}:32,48,16,32"], "box 32, 48, 16, 32 px: a box of some area"),
        (["{shown}:99,0,120,9=boot"], "of the picture of 64x64 px is needed"),
        (["{shown}:0,0,9,9"], "says nothing of this example"),
        (["{none}:1,1,9,9=boot"], "no such file"),
        (["{broken}:1,1,9,9=boot"], "picture"),
        (["{shown}:16,32,32,48!=yeti"], "'yeti' is no class yet"),
        (["{shown}:16,32,32,48=a|b"], "is not one plain name"),
        (["{shown}:16,32,32,48"] * 2, "several without a name"),
        (["{shown}:16,32,32,48=boot"] * 2, "'boot' is given twice, with the same box"),
        (["{shown}:16,32,32,48=boot", "--words", "Boot"], "'boot' is given twice"),
        (["{shown}:16,32,32,48=rope", "--words", "coat=yarn|rope"], "'rope' is given twice"),
    ],
)
def test_an_example_that_is_none_is_one_line(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, words: list[str], said: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    places = {"shown": jacket, "broken": broken, "none": tmp_path / "none.png"}
    typed: list[str] = []
    for word in words:
        is_example = word.startswith("{")
        typed += ["--example", word.format(**places)] if is_example else [word]
    assert run(bag, "--model", model, "--output", tmp_path / "out", *typed) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("search_archive: --example ")
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_models_that_take_no_examples_are_one_line(
    tmp_path: Path, bag: Path, model: Path, jacket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model.with_name("prompts.example.onnx").unlink()
    for one in (model, things.model_file(tmp_path)):
        asked = ("--model", one, "--output", tmp_path / "out", "--example", f"{jacket}:{BOX}=boot")
        assert run(bag, *asked, "--words", "red") == 2
        line = f"no example network lies beside {one.name}; export it anew"
        error = capfd.readouterr().err
        assert line in error
        assert len(error.splitlines()) == 1
    assert run(bag, "--model", model, "--output", tmp_path / "out") == 2
    said = "search_archive: words: none is given, and no --example: one is needed\n"
    assert capfd.readouterr().err == said
