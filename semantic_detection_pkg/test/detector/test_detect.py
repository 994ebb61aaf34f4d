"""The `detect` command, as people call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_models
from patience import patience

from semantic_detection_pkg.cli import detect


@pytest.fixture
def model(tmp_path):
    return tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "colours.onnx")


@pytest.fixture
def picture(tmp_path, colour_picture):
    path = tmp_path / "colours.png"
    cv2.imwrite(str(path), colour_picture)
    return path


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"not a picture")
    return path


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = detect.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_json_has_the_documented_form(capsys, model, picture):
    status, out, err = run(capsys, "--model", model, "--json", picture, picture)

    assert (status, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert list(first) == ["image", "width", "height", "detections", "ms"]
    assert (first["image"], first["width"], first["height"]) == (str(picture), 96, 96)
    assert set(first["ms"]) == {"preprocess", "inference", "postprocess"}
    assert all(value >= 0 for value in first["ms"].values())
    assert first["detections"] == second["detections"]
    best = first["detections"][0]
    assert set(best) == {"class_name", "class_id", "score", "box_xyxy", "polygons"}
    assert (best["class_name"], best["class_id"], best["box_xyxy"]) == ("red", 0, [9, 9, 27, 27])
    assert all(len(point) == 2 for ring in best["polygons"] for point in ring)


@pytest.mark.parametrize("names", ["red\n\nblue\n", "red\nred\nblue\n"])
def test_ids_are_the_models_beside_unused_and_equal_names(capsys, model, picture, tmp_path, names):
    path = tmp_path / "names.txt"
    path.write_text(names)
    found = {}
    for options in ([], ["--names", path]):
        _, out, _ = run(capsys, "--model", model, "--json", *options, picture)
        found[len(options)] = {
            one["class_name"]: one["class_id"] for one in json.loads(out)["detections"]
        }

    assert found[0]["blue"] == 2
    assert found[2] == {"red": 0, "blue": 2}


def test_polygons_that_are_boxes_are_said_to_be(capsys, picture, tmp_path):
    boxes = tiny_models.without_masks(tiny_models.colour_model("raw"))
    model = tiny_models.save(boxes, tmp_path / "boxes.onnx")

    status, out, _ = run(capsys, "--model", model, "--json", picture)

    document = json.loads(out)
    assert (status, document["masks"]) == (0, "boxes")
    assert document["detections"][0]["polygons"] == [[[9, 9], [27, 9], [27, 27], [9, 27]]]


def test_a_line_for_each_picture(capsys, model, picture):
    _, out, _ = run(capsys, "--model", model, "--classes", "blue,red", picture)

    assert out.startswith(f"{picture}: red 1.00, blue 0.94 (")
    _, out, _ = run(capsys, "--model", model, "--conf", "1.0", picture)
    assert out.startswith(f"{picture}: nothing (")


def test_thresholds_reach_the_detector(capsys, model, picture):
    _, out, _ = run(capsys, "--model", model, "--json", "--conf", "0.93", picture)

    assert [d["class_name"] for d in json.loads(out)["detections"]] == ["red", "blue"]


def test_a_picture_that_cannot_be_decoded_does_not_stop_the_others(
    capsys, model, picture, broken, tmp_path
):
    missing = tmp_path / "missing.jpg"

    status, out, err = run(capsys, "--model", model, broken, picture, missing)

    assert status == 1
    assert out.count("\n") == 1
    assert err.splitlines() == [
        f"detect: picture {broken}: cannot be decoded",
        f"detect: picture {missing}: no such file or directory",
    ]


def test_overlays_are_saved_and_none_replaces_another(capsys, model, picture, tmp_path):
    other = tmp_path / "other" / picture.name
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    folder = tmp_path / "new" / "overlays"

    status, _, _ = run(capsys, "--model", model, "--save", folder, picture, other)

    assert status == 0
    assert sorted(path.name for path in folder.iterdir()) == ["colours.png", "colours_2.png"]
    overlay, plain = cv2.imread(str(folder / "colours.png")), cv2.imread(str(picture))
    assert overlay.shape == plain.shape
    assert (overlay != plain).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--conf", "1.5"], "'confidence_threshold' is 1.5, allowed is"),
        (["--iou", "nan"], "'iou_threshold' is nan, allowed is"),
        (["--classes", "yeti"], "'yeti' is unknown; known: red, green, blue"),
        (["--threads", "-3"], "threads -3 must be >= 0"),
        (["--names", "/nowhere"], "names file /nowhere: no such file"),
        (["--model", "/nowhere.onnx"], "model /nowhere.onnx: does not exist"),
        (["--model", __file__], "is not an ONNX file"),
        (["--save", __file__], "cannot be made: file exists"),
        (
            ["--tiles", "tiles", "--overlap", "1"],
            "--overlap: parameter 'tile_overlap' is 1.0, allowed is a decimal number from 0 to 0.9",
        ),
        (["--overlap", "nan"], "--overlap: parameter 'tile_overlap' is nan, allowed is"),
        (["--tiles", "tiles", "--tile-px", "8"], "--tile-px: parameter 'tile_px' is 8, allowed is"),
        (
            ["--tiles-per-frame", "0"],
            "--tiles-per-frame: parameter 'tiles_per_frame' is 0",
        ),
        (["--threads", "65"], "threads 65 must be >= 0 and <= 64"),
    ],
)
def test_options_that_are_no_good_are_refused_in_one_line(capsys, model, picture, change, message):
    status, out, err = run(capsys, "--model", model, picture, *change)

    assert (status, out) == (2, "")
    assert err.startswith("detect: ")
    assert err.count("\n") == 1
    assert message in err


def test_tiles_show_what_is_small(capsys, model, tmp_path):
    """A patch of 6 px is little of a cell of 22 px, and fills one that shows 4 px."""
    picture = np.zeros((96, 180, 3), np.uint8)
    picture[40:46, 90:96] = (0, 0, 255)
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), picture)

    _, out, _ = run(capsys, "--model", model, "--conf", "0.5", "--json", path)
    assert json.loads(out)["detections"] == []
    assert "looks" not in json.loads(out)
    options = ("--conf", "0.5", "--tiles", "tiles", "--tile-px", "34", "--overlap", "0.3")
    _, out, _ = run(capsys, "--model", model, "--json", *options, path)

    document = json.loads(out)
    assert {thing["class_name"] for thing in document["detections"]} == {"red"}
    assert len(document["looks"]) > 10
    assert all(len(look) == 4 for look in document["looks"])


def test_a_picture_of_too_many_tiles_does_not_stop_the_others(capsys, model, picture, tmp_path):
    large = tmp_path / "large.png"
    cv2.imwrite(str(large), np.zeros((2000, 2000, 3), np.uint8))

    status, out, err = run(
        capsys, "--model", model, "--tiles", "tiles", "--tile-px", "32", large, picture
    )

    assert (status, out.count("\n"), err.count("\n")) == (1, 1, 1)
    assert "at most 256 are allowed: take larger tiles" in err
    assert err.startswith("detect: --tile-px, --overlap: tile_px 32 with tile_overlap 0.15 makes")


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ([], []),
        (["--tiles", "tiles", "--tile-px", "64", "--overlap", "0.3"], []),
        (
            ["--tile-px", "640", "--overlap", "0.15"],
            [
                "--tile-px means nothing with --tiles full: --tiles tiles or --tiles rotating",
                "--overlap means nothing with --tiles full: --tiles tiles or --tiles rotating",
            ],
        ),
        (
            ["--tiles", "tiles", "--tiles-per-frame", "2"],
            ["--tiles-per-frame means nothing with --tiles tiles: --tiles rotating takes it"],
        ),
        (
            ["--tiles", "rotating", "--tiles-per-frame", "2"],
            ["--tiles rotating is for the pictures of a video: each is looked at in some tiles"],
        ),
    ],
)
def test_what_options_do_not_do_is_said_once(capsys, model, picture, options, lines):
    status, out, err = run(capsys, "--model", model, *options, picture, picture)
    assert status == 0
    assert len(out.splitlines()) == 2
    said = err.splitlines()
    assert len(said) == len(lines)
    for text, line in zip(lines, said, strict=True):
        assert line.startswith(f"detect: {text}")


def test_a_model_without_names_is_pointed_to_the_option(capsys, picture, tmp_path):
    metadata = tiny_models.ultralytics_metadata("raw")
    del metadata["names"]
    path = tiny_models.save(tiny_models.colour_model("raw", metadata), tmp_path / "m.onnx")
    _, out, err = run(capsys, "--model", path, picture)
    assert "class_0" in out
    assert err.startswith("detect: m.onnx has no class names, numbers stand for them: give a file")
    assert "--names" in err
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    _, out, err = run(capsys, "--model", path, "--names", tmp_path / "names.txt", picture)
    assert (err, "red" in out) == ("", True)


def test_help_says_how_it_ends(capsys):
    with pytest.raises(SystemExit):
        detect.main(["--help"])
    assert "Exit status: 0; 1 if a picture failed; 2" in " ".join(capsys.readouterr().out.split())


def test_no_picture_is_a_usage_error(capsys, model):
    with pytest.raises(SystemExit) as raised:
        run(capsys, "--model", model)
    assert raised.value.code == 2


def test_no_progress_bar_in_a_pipe(model, picture):
    """As a process of its own: nothing but the result on either stream."""
    done = subprocess.run(
        [sys.executable, "-m", "semantic_detection_pkg.cli.detect"]
        + ["--model", str(model), "--json", *[str(picture)] * 5],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    assert done.stderr == ""
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 5


def test_a_reader_that_has_enough_is_no_error(model, picture):
    """As `detect ... | head -1`: the reading end closes while there is more to say."""
    process = subprocess.Popen(
        [sys.executable, "-m", "semantic_detection_pkg.cli.detect"]
        + ["--model", str(model), "--json", *[str(picture)] * 200],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.stdout.close()
    _, err = process.communicate(timeout=patience(60.0))

    assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(
    not Path("/dev/ptmx").exists(), reason="/dev/ptmx is missing: the kernel gives it, no package"
)
def test_a_progress_bar_on_a_terminal(monkeypatch, capsys, model, picture):
    import pty

    main_end, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        status = detect.main(["--model", str(model), *[str(picture)] * 5])
        stream.flush()
        shown = os.read(main_end, 65536).decode()
    os.close(main_end)

    assert status == 0
    assert "5/5" in shown or "picture/s" in shown
    assert capsys.readouterr().out.count("\n") == 5


def test_the_photograph_as_the_reference_sees_it(capsys, realdata):
    status, out, _ = run(
        capsys, "--model", realdata.model, "--json", "--threads", "2", realdata.photo
    )

    document = json.loads(out)
    names = [thing["class_name"] for thing in document["detections"]]
    assert status == 0
    assert (document["width"], document["height"]) == (810, 1080)
    assert names.count("bus") == 1
    assert names.count("person") >= 3
    for thing, expected in zip(document["detections"], realdata.reference(), strict=True):
        np.testing.assert_allclose(thing["box_xyxy"], expected["box_xyxy"], atol=1.0)
        mask = np.zeros((1080, 810), np.uint8)
        rings = [np.round(np.array(ring) - 0.5).astype(np.int32) for ring in thing["polygons"]]
        cv2.fillPoly(mask, rings, 1)
        mask = mask > 0
        assert (mask & expected["mask"]).sum() / (mask | expected["mask"]).sum() >= 0.9
