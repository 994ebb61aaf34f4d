"""The tool that measures a detector: matching, fitting what is known, refusals, pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import tiny_models
from measure_detector import fit
from measure_detector.__main__ import main
from measure_detector.document import Subject, in_words, make_document
from measure_detector.plot import curves_svg
from measure_detector.records import ClassRecord, Look, Truth, match

from semantic_detection_pkg.detector.backends.curve_file import read_curves
from semantic_detection_pkg.detector.core.curve_document import SCHEMA

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "models" / "demo" / "demo_detector.onnx"
SWEEPS = ROOT / "semantic_detection_pkg" / "test" / "data" / "pod_sweeps.jsonl"
BOX = [10.0, 10.0, 50.0, 90.0]


def truth(boxes, wanted=None, ignored=()):
    boxes = np.array(boxes, float).reshape(-1, 4)
    is_wanted = np.ones(len(boxes), bool) if wanted is None else np.array(wanted)
    return Truth(
        tuple(range(len(boxes))), boxes, is_wanted, np.array(ignored, float).reshape(-1, 4)
    )


def test_each_thing_once_the_best_first_the_rest_is_false():
    found, false = match(
        np.array([BOX, BOX, [200.0, 200.0, 220.0, 220.0]]),
        np.array([0.6, 0.9, 0.5]),
        truth([BOX]),
        1,
    )
    assert found.tolist() == [0.9]
    assert false == [0.6, 0.5]


def test_who_finds_what_is_not_wanted_or_ignored_is_not_false():
    decoy = truth([BOX], wanted=[False])
    assert match(np.array([BOX]), np.array([0.9]), decoy, 1.0)[1] == []
    region = truth([], ignored=[[0.0, 0.0, 100.0, 100.0]])
    assert match(np.array([BOX]), np.array([0.9]), region, 1.0)[1] == []
    assert match(np.array([BOX]), np.array([0.9]), truth([]), 1.0)[1] == [0.9]


def test_small_things_need_less_overlap():
    small, beside = [0.0, 0.0, 10.0, 10.0], [0.0, 3.5, 10.0, 13.5]  # IoU 0.48
    assert match(np.array([beside]), np.array([0.9]), truth([small]), 1.0)[0].tolist() == [0.9]
    assert match(np.array([beside]), np.array([0.9]), truth([small]), 4.0)[0].tolist() == [0.0]


def looks_of(curve, scenes=12, things=60, seed=3):
    """Looks at things of many sizes by a detector whose curve is known."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(1.2, 4.8, (scenes, things)))
    found = rng.random((scenes, things)) < fit.probability(sizes, curve)
    return [
        Look(scene, thing, 0, float(sizes[scene, thing]), 0.0, 0.5 * found[scene, thing])
        for scene in range(scenes)
        for thing in range(things)
    ]


def test_a_known_curve_is_found_again_within_its_interval(monkeypatch):
    monkeypatch.setattr(fit, "RESAMPLES", 20)
    curve = (0.9, 14.0, 0.25)
    fitted = fit.fit_curve(looks_of(curve), 0.25)
    for known, one, off in zip(
        curve, (fitted.p_max, fitted.size_50_px, fitted.width), (0.04, 1.5, 0.08), strict=True
    ):
        assert one.value == pytest.approx(known, abs=off)
        assert one.low <= one.value <= one.high
        assert one.high - one.low < 8 * off
    nothing = fit.fit_curve(looks_of(curve), 0.6)  # above all scores
    values = nothing.p_max.value, nothing.size_50_px.value, 0.3
    assert fit.probability(np.array([60.0]), values) < 0.05


def test_where_all_were_found_smaller_ones_are_not_promised(monkeypatch):
    monkeypatch.setattr(fit, "RESAMPLES", 4)
    looks = [Look(i % 5, i, 0, 40.0 + i, 0.0, 0.9) for i in range(60)]
    fitted = fit.fit_curve(looks, 0.25)
    assert fitted.size_50_px.value >= 20.0
    assert fitted.p_max.value < 1.0


def test_one_picture_gives_no_interval_and_nobody_claims_one():
    looks = looks_of((0.9, 14.0, 0.25), scenes=1, things=80)
    fitted = fit.fit_curve(looks, 0.25)
    for one in (fitted.p_max, fitted.size_50_px, fitted.width):
        assert (one.low, one.high) == (None, None)
        assert set(one.plain()) == {"value"}
    chains = fit.chains_of(
        [replace(one, visit=i) for one in looks for i in (0, 1)], (0.9, 14, 0.3), 0
    )
    assert all(one.low is None for one in fit.fit_dependence([(chains, 0.95)]))
    assert fit.fit_ceiling(chains, 0.9).low is None


def table_of(looks, tmp_path, confidences=(0.25,)):
    model = tmp_path / "m.onnx"
    model.write_bytes(b"m")
    record = ClassRecord(list(looks), [], 1)
    subject = Subject(model, (640, 640), "pictures", "full")
    document, _ = make_document({"person": record}, confidences, subject)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return in_words(document, confidences[0])


def test_the_table_says_what_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "RESAMPLES", 20)
    one_picture = table_of(looks_of((0.9, 14.0, 0.25), scenes=1, things=80), tmp_path)
    assert one_picture.count("(no interval)") == 3
    assert "there is only one" in one_picture.splitlines()[-1]
    nothing = table_of(looks_of((0.9, 14.0, 0.25), scenes=3), tmp_path, (0.6,))
    assert "| not determined | not determined | not determined |" in nothing
    assert "too few, or none, were found" in nothing.splitlines()[-1]
    rarely = [replace(one, score=0.9 * (one.scene == 0)) for one in looks_of((1.0, 5.0, 0.2), 4)]
    table = table_of(rarely, tmp_path)
    assert ".. no end)" in table
    assert "where it is cut off" in table.splitlines()[-1]
    well = table_of(looks_of((0.9, 14.0, 0.25)), tmp_path)
    assert "not determined" not in well
    assert len(well.splitlines()) == 3, "nothing is to be explained"


def test_a_model_whose_classes_are_numbers_is_told_of_the_option(tmp_path, capsys):
    metadata = tiny_models.ultralytics_metadata("raw")
    del metadata["names"]
    colours = tiny_models.colour_model("raw", metadata)
    model = tiny_models.save(colours, tmp_path / "nameless.onnx")
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "p.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "classes.txt").write_text("person\n")
    assert main([str(model), str(tmp_path / "p.png")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "nothing is written; nameless.onnx has no class names, numbers stand for them" in last
    assert "--names" in last


def test_intervals_of_a_share_are_wilson_s():
    # R's prop.test(8, 10, correct = FALSE): 0.4901625 0.9433178
    assert fit.Bin(8.0, 11.3, 10, 8).wilson() == pytest.approx((0.49016, 0.94332), abs=1e-4)


def test_dependence_is_found_again():
    """Things that are found in all looks of a visit or in none: the rest adds nothing."""
    rng = np.random.default_rng(5)
    looks = []
    for thing in range(300):
        size = float(np.exp(rng.uniform(1.8, 3.4)))
        chance = float(fit.probability(np.array([size]), (0.95, 14.0, 0.25))[0])
        for visit in range(2):
            score = 0.9 * (rng.random() < chance)
            looks += [Look(thing % 10, thing, visit, size, 0.0, score) for _ in range(3)]
    chains = fit.chains_of(looks, (0.95, 14.0, 0.25), 0.25)
    within, between = fit.fit_dependence([(chains, 0.99)])
    assert within.value < 0.15
    assert between.value > 0.6, "visits were independent"


def test_labelled_pictures_are_measured_and_read_beside_the_model(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fit, "RESAMPLES", 4)
    from simulation_pkg.core.world.geometry import CameraPose, Lens
    from simulation_pkg.core.world.layout import WorldLayout, build_world
    from simulation_pkg.core.world.render import Renderer

    model = tmp_path / "m.onnx"
    model.write_bytes(MODEL.read_bytes())
    words = MODEL.with_name("demo_detector.vocabulary.npz")
    (tmp_path / "m.vocabulary.npz").write_bytes(words.read_bytes())
    pictures = tmp_path / "images"
    pictures.mkdir()
    renderer = Renderer(build_world(WorldLayout(61, per_class=8)), Lens())
    labels = tmp_path / "truth"
    labels.mkdir()
    (labels / "classes.txt").write_text("tent\nboulder\n")
    for number, yaw in enumerate((-0.8, 0.0, 0.8)):
        for step, pitch in enumerate((0.3, 0.45)):
            view = renderer.render(CameraPose(yaw, pitch), 0.0, number)
            name = f"{number}{step}"
            cv2.imwrite(str(pictures / f"{name}.png"), view.image)
            lines = []
            for one in view.truth.objects:
                if one.class_name == "tent" and one.visible > 0.9:
                    x0, y0, x1, y1 = one.box_xyxy
                    box = (x0 + x1) / 2560, (y0 + y1) / 1440, (x1 - x0) / 1280, (y1 - y0) / 720
                    kind = int(one.is_decoy)
                    lines.append(" ".join(map(str, (kind, *box))))
            (labels / f"{name}.txt").write_text("\n".join(lines))
    assert (
        main(
            [
                str(model),
                str(pictures),
                "--truth",
                str(labels),
                "--conf",
                "0.25",
                "--same",
                "tent=boulder",
            ]
        )
        == 0
    )
    told = capsys.readouterr()
    assert "| tent |" in told.out
    assert "other classes" in told.err
    curves = read_curves(model, 0.25)
    assert curves is not None
    assert curves.of("tent").is_measured
    assert not curves.of("person").is_measured
    assert curves.of("tent").curve.probability(60.0) > 0.8
    assert (tmp_path / "m.curve.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--conf", "x", "p"], "--conf 'x': numbers from 0 to below 1"),
        (["--conf", "1.5", "p"], "--conf '1.5'"),
        (["--worlds", "5-3"], "--worlds '5-3': FIRST-LAST is allowed"),
        (["--calibrate", "7"], "--calibrate '7': FIRST-LAST is allowed"),
        (["--calibrate", "p.png"], "file p.png: has no sweeps"),
        (["--calibrate", "q.jsonl"], "file q.jsonl: cannot be read as sweeps"),
        (["--calibrate", "none.jsonl"], "file none.jsonl: cannot be read as sweeps"),
        (["--same", "car", "p.png"], "--same 'car': NAME=OTHER"),
        (["/nowhere"], "pictures /nowhere: there is no such file or folder"),
        ([], "no pictures are given"),
    ],
)
def test_what_is_no_good_is_refused_in_one_line(arguments, reason, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.png").write_bytes(b"")
    (tmp_path / "q.jsonl").write_text('{"seed": 1}\n{"se')
    assert main([str(MODEL), *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_sweeps_of_before_are_compared_anew(tmp_path, capsys):
    lines = SWEEPS.read_text().splitlines()[:2]
    kept = tmp_path / "two.jsonl"
    kept.write_text("\n".join(lines))
    assert main([str(MODEL), "--calibrate", str(kept)]) == 0
    told = capsys.readouterr().out
    things = sum(len(json.loads(line)["things"]) for line in lines)
    assert f"| all | {things} |" in told
    assert "| person and tent |" in told
    assert (tmp_path / "two.svg").read_text().startswith("<svg")
    assert kept.read_text() == "\n".join(lines)


def test_the_drawing_has_each_class_and_its_counts():
    document = json.loads(MODEL.with_name("demo_detector.curve.json").read_text())
    drawn = curves_svg(document, 0.25)
    assert all(f">{name}</text>" in drawn for name in document["classes"])
    assert drawn.count("<circle") > 20
    assert math.isfinite(len(drawn))
