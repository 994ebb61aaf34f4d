"""The file of detection curves beside a model: what is read, what is refused in one line."""

import hashlib
import json
from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time

from semantic_detection_pkg.detector.backends.curve_file import curve_path, read_curves
from semantic_detection_pkg.detector.ros.curves import CurvePublisher
from semantic_detection_pkg.errors import ConfigurationError

MODEL = b"a model"


def estimate(value):
    return {"value": value, "low": value, "high": value}


def curve(confidence, size_50_px):
    return {
        "confidence": confidence,
        "p_max": estimate(0.9),
        "size_50_px": estimate(size_50_px),
        "width": estimate(0.3),
        "false_alarms_per_look": 0.02,
        "bins": [{"size_px": [8.0, 11.3], "looks": 10, "found": 3}],
    }


def document(**changes):
    return {
        "format": "semantic-detection detection curve",
        "version": 1,
        "model": {
            "file": "m.onnx",
            "sha256": hashlib.sha256(MODEL).hexdigest(),
            "input_px": [640, 384],
        },
        "measured": {
            "on": "simulated worlds 1 to 2",
            "looks": 10,
            "iou": 0.5,
            "iou_small": 0.3,
            "small_px": 16.0,
            "tiles": "full",
        },
        "classes": {
            "person": {
                "things": 30,
                "looks": 300,
                "ceiling": estimate(0.97),
                "curves": [curve(0.1, 10.0), curve(0.25, 12.0), curve(0.5, 20.0)],
            }
        },
        **changes,
    }


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(MODEL)
    return path


def write(model, content):
    text = content if isinstance(content, str) else json.dumps(content)
    curve_path(model).write_text(text)


def test_none_where_no_file_stands_beside_the_model(model):
    assert read_curves(model, 0.25) is None


@pytest.mark.parametrize(
    ("threshold", "size_50_px"), [(0.25, 12.0), (0.05, 10.0), (0.26, 20.0), (0.5, 20.0)]
)
def test_the_curve_of_the_nearest_threshold_that_finds_no_more(model, threshold, size_50_px):
    write(model, document())
    curves = read_curves(model, threshold)
    person = curves.of("person")
    assert person.is_measured
    assert (person.curve.size_50_px, person.curve.ceiling) == (size_50_px, 0.97)
    assert (person.things, person.false_alarms_per_look) == (30, 0.02)
    assert not curves.is_dependence_measured


def test_above_all_thresholds_nothing_is_measured(model):
    write(model, document())
    assert not read_curves(model, 0.6).of("person").is_measured


def test_dependence_and_blur_are_read_and_a_missing_ceiling_is_the_most_of_one_look(model):
    content = document(
        blur_px=estimate(3.0),
        dependence={"within": estimate(0.1), "between": estimate(0.4), "group_s": 8.0},
    )
    del content["classes"]["person"]["ceiling"]
    write(model, content)
    curves = read_curves(model, 0.25)
    assert curves.is_dependence_measured
    assert (curves.dependence.within, curves.dependence.group_s) == (0.1, 8.0)
    assert (curves.of("person").curve.blur_px, curves.of("person").curve.ceiling) == (3.0, 0.9)


def test_a_plan_has_the_curves_of_the_model_that_it_was_built_from(tmp_path):
    plan = tmp_path / "m.engine"
    plan.write_bytes(b"a plan")
    write(plan, document())
    with pytest.raises(ConfigurationError, match="another model"):
        read_curves(plan, 0.25)
    digest = hashlib.sha256(MODEL).hexdigest()
    (tmp_path / "m.manifest.json").write_text(json.dumps({"onnx": {"sha256": digest}}))
    assert read_curves(plan, 0.25).of("person").is_measured


PERSON = document()["classes"]["person"]


def bad(**changes):
    content = document()
    person = content["classes"]["person"]
    for name, value in changes.items():
        person["curves"][1][name] = value
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "are no detection curves"),
        ({"format": "something"}, "are no detection curves"),
        (document(version=2), "version 2 is not known, allowed is 1"),
        (document(classes=[]), r"classes: \[\] is not of type 'object'"),
        (document(extra=1), "'extra' was unexpected"),
        (bad(p_max=estimate(1.5)), "curves/1/p_max/value: 1.5 is greater than the maximum"),
        (bad(size_50_px=estimate(-1.0)), "curves/1/size_50_px"),
        (bad(width=estimate(100.0)), "person/curves/1/width/value: 100.0 is greater than the max"),
        (bad(width=estimate(1e-12)), "person/curves/1/width/value: 1e-12 is less than the minimum"),
        (
            bad(p_max={"value": 0.5, "low": 0.9, "high": 0.1}),
            "person/curves/1/p_max: low 0.9 is above high 0.1",
        ),
        (
            bad(bins=[{"size_px": [4, 8], "looks": 2, "found": 3}]),
            "person/curves/1/bins/0: found 3 of 2 looks, no more are allowed",
        ),
        (
            # No group of looks would ever have as many as a report takes: all POD would be 0.
            document(
                dependence={"within": estimate(0.5), "between": estimate(0.1), "group_s": 1e-9}
            ),
            "dependence/group_s: 1e-09 is less than the minimum of 1",
        ),
        (bad(size_50_px=estimate(float("nan"))), "a finite number is allowed"),
        (bad(size_50_px=estimate(float("inf"))), "a finite number is allowed"),
        (bad(false_alarms_per_look=float("nan")), "a finite number is allowed"),
        (bad(width=estimate(10**400)), r"width/value: 1\d*\.\.\. is greater than the maximum of"),
        (bad(false_alarms_per_look=10**400), "is greater than the maximum of"),
        (
            document(
                dependence={"within": estimate(0.5), "between": estimate(0.1), "group_s": 10**400}
            ),
            "dependence/group_s: .* is greater than the maximum",
        ),
        (document(classes={"\ud800": PERSON}), "classes: '.ud800' does not match"),
        (document(classes={"": PERSON}), "classes: '' does not match"),
        (document(classes={"person": {**PERSON, "things": 2**32}}), "person/things: 4294967296"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line_that_names_it(model, content, reason):
    write(model, content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_curves(model, 0.25)
    assert str(curve_path(model)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_curves_of_another_model_are_refused_with_what_to_do(model):
    write(model, document())
    model.write_bytes(b"trained again")
    with pytest.raises(ConfigurationError, match=r"another model, m.onnx .*measure_detector"):
        read_curves(model, 0.25)


def test_a_folder_in_its_place_is_refused(model):
    curve_path(model).mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read: is a directory"):
        read_curves(model, 0.25)


def test_a_file_that_is_mended_is_told_again_at_the_threshold_of_before(model):
    """What was told in between, that nothing is known, must not stay."""
    told = []
    node = SimpleNamespace(
        create_publisher=lambda *_, **_options: SimpleNamespace(publish=told.append),
        get_logger=lambda: SimpleNamespace(info=str, error=str),
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(to_msg=Time)),
    )
    publisher = CurvePublisher(node)
    write(model, document())
    publisher.tell(model, 0.25)
    write(model, "{")
    publisher.retell(0.4)
    write(model, document())

    publisher.retell(0.25)

    assert [list(message.class_names) for message in told] == [["person"], [], ["person"]]
