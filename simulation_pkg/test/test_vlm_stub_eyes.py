"""The stub's eyes: questions about pictures of the simulated world, answered by their pixels."""

import math
from pathlib import Path

import cv2
import pytest

from ros_support_pkg.core.words import Verdict
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import DECOY_NAMES, ODDITY_NAMES
from simulation_pkg.vlm_eyes import WorldEyes
from vlm_bridge_pkg.cli.vlm_stub import main
from vlm_bridge_pkg.core.questions import make_questions
from vlm_bridge_pkg.core.verdicts import read_answer
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.protocol.pictures import Picture
from vlm_bridge_pkg.protocol.requests import ChatRequest

CLASSIFIER = Path(__file__).parents[2] / "models" / "demo" / "demo_classifier.onnx"
SEED = 9101  # not trained on


@pytest.fixture(scope="module")
def eyes() -> WorldEyes:
    return WorldEyes(CLASSIFIER)


@pytest.fixture(scope="module")
def crops() -> dict[tuple[str, bool], Picture]:
    """What the bridge sends of one tent and of one boulder."""
    world = build_world(WorldLayout(SEED))
    renderer = Renderer(world, Lens())
    return {
        (board.class_name, board.is_decoy): _crop(renderer, board)
        for board in world.boards
        if board.class_name == "tent"
    }


def _crop(renderer: Renderer, board) -> Picture:
    x_m, y_m = board.foot(0.0)
    drop_m = 26.0 - board.height_m / 2
    pose = CameraPose(math.atan2(y_m, x_m), math.atan2(drop_m, math.hypot(x_m, y_m)), zoom=8.0)
    view = renderer.render(pose, 0.0)
    box = next(seen.box_xyxy for seen in view.truth.objects if seen.id == board.id)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    side = 1.25 * max(box[2] - box[0], box[3] - box[1])
    square = cv2.getRectSubPix(view.image, (round(side), round(side)), (x, y))
    return fit_square(cv2.imencode(".jpg", square)[1].tobytes(), 384)


def what_is(eyes: WorldEyes, picture: Picture) -> Verdict:
    (question,) = make_questions("an orange thing", is_proposal=True)
    return read_answer(eyes.answer(ChatRequest(question.prompt, picture)).text).verdict


def test_what_was_noticed_for_its_looks_is_told_by_the_picture(eyes: WorldEyes) -> None:
    """People's things are worth a way, whatever their kind; plants and stones are not."""
    world = build_world(WorldLayout(SEED, oddities=6))
    renderer = Renderer(world, Lens())
    told: dict[str, set[Verdict]] = {}
    for board in world.boards:
        name = DECOY_NAMES[board.class_name] if board.is_decoy else board.class_name
        if math.hypot(board.x_m, board.y_m) < 60.0 and len(told.get(name, ())) < 3:
            told.setdefault(name, set()).add(what_is(eyes, _middle(renderer, board)))
    assert told.keys() >= {*ODDITY_NAMES, "person", "log", "bush", "rock", "fir"}
    for name in (*ODDITY_NAMES, "person", "boat"):
        assert told[name] == {Verdict.YES}, name
    for name in ("bush", "rock", "fir", "tree", "log"):
        assert Verdict.YES not in told[name], name
    assert told["bush"] == told["log"] == {Verdict.NO}


def _middle(renderer: Renderer, board) -> Picture:
    """What the bridge sends of anything, a plant too: 1.25 times its size, from its place."""
    x_m, y_m = board.foot(0.0)
    reach, drop_m = math.hypot(x_m, y_m), 26.0 - board.height_m / 2
    angle = max(board.width_m, 1.4 * board.height_m) / math.hypot(reach, drop_m)
    zoom = min(12.0, 2 * math.tan(Lens().hfov_wide_rad / 2) * 0.3 / angle)
    view = renderer.render(CameraPose(math.atan2(y_m, x_m), math.atan2(drop_m, reach), zoom=zoom))
    side = round(1.25 * angle * Lens().focal_px(zoom))
    square = cv2.getRectSubPix(view.image, (side, side), (640, 360))
    return fit_square(cv2.imencode(".jpg", square)[1].tobytes(), 384)


def verdict(eyes: WorldEyes, picture: Picture | None, class_name: str, variant: int = 0) -> Verdict:
    question = make_questions(class_name, variants=3)[variant]
    said = eyes.answer(ChatRequest(question.prompt, picture))
    read = read_answer(said.text).verdict
    return read.negated() if question.is_negated else read


@pytest.mark.parametrize("variant", range(3))
def test_a_thing_is_told_from_its_decoy_however_one_asks(eyes, crops, variant) -> None:
    assert verdict(eyes, crops["tent", False], "tent", variant) is Verdict.YES
    assert verdict(eyes, crops["tent", True], "tent", variant) is Verdict.NO
    assert verdict(eyes, crops["tent", False], "boat", variant) is Verdict.NO


def test_what_it_cannot_tell_is_uncertain(eyes, crops) -> None:
    assert verdict(eyes, None, "tent") is Verdict.UNSURE
    free = make_questions("", "how many are there?")[0]
    said = eyes.answer(ChatRequest(free.prompt, crops["tent", False]))
    assert read_answer(said.text).verdict is Verdict.UNSURE
    broken = Picture(b"\xff\xd8 nothing", "image/jpeg", 1, 1)
    assert verdict(eyes, broken, "tent") is Verdict.UNSURE


def test_a_file_that_is_no_classifier_is_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "model.onnx").write_text("nonsense")
    words = ["--socket", str(tmp_path / "vlm.sock"), "--look-with", str(tmp_path / "model.onnx")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "model.onnx: no classifier" in error
