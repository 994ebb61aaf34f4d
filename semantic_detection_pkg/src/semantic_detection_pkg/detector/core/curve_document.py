"""The content of `<model>.curve.json`: measured detection curves, with their intervals and counts.

For each class there is a curve at each confidence threshold that was measured. Which one holds
depends on the detector's threshold in force: that of the nearest threshold measured that is not
below it, which finds no more; above all of them none holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
)
from semantic_detection_pkg.errors import ConfigurationError

FORMAT = "semantic-detection detection curve"
VERSION = 1
_SAME = 1e-6  # of confidences

_MOST = 1e9
_COUNT = {"type": "integer", "minimum": 1, "maximum": 2**32 - 1}  # as in the message
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e5}
_WIDTH = {"type": "number", "minimum": 1e-3, "maximum": 10}
_GROUP_S = {"type": "number", "minimum": 1, "maximum": 86400}


def _estimate(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a value with the ends of its 95 % interval; of one picture without."""
    return {
        "type": "object",
        "properties": {"value": dict(value), "low": dict(value), "high": dict(value)},
        "required": ["value"],
        "dependentRequired": {"low": ["high"], "high": ["low"]},
        "additionalProperties": False,
    }


_CURVE = {
    "type": "object",
    "properties": {
        "confidence": _SHARE,
        "p_max": _estimate(_SHARE),
        "size_50_px": _estimate(_POSITIVE),
        "width": _estimate(_WIDTH),
        "false_alarms_per_look": {"type": "number", "minimum": 0, "maximum": _MOST},
        "bins": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "size_px": {
                        "type": "array",
                        "items": _POSITIVE,
                        "minItems": 2,
                        "maxItems": 2,
                    },
                    "looks": _COUNT,
                    "found": {**_COUNT, "minimum": 0},
                },
                "required": ["size_px", "looks", "found"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["confidence", "p_max", "size_50_px", "width", "false_alarms_per_look", "bins"],
    "additionalProperties": False,
}

#: JSON Schema (draft 2020-12) of the file.
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Detection curves of a model",
    "type": "object",
    "properties": {
        "format": {"const": FORMAT},
        "version": {"const": VERSION},
        "model": {
            "type": "object",
            "properties": {
                "file": {"type": "string", "minLength": 1},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "input_px": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
            "required": ["file", "sha256", "input_px"],
            "additionalProperties": False,
        },
        "measured": {
            "type": "object",
            "properties": {
                "on": {"type": "string"},
                "looks": _COUNT,
                "iou": _SHARE,
                "iou_small": _SHARE,
                "small_px": {"type": "number", "minimum": 0},
                "tiles": {"type": "string"},
            },
            "required": ["on", "looks", "iou", "iou_small", "small_px", "tiles"],
            "additionalProperties": False,
        },
        "blur_px": _estimate(_POSITIVE),
        "dependence": {
            "type": "object",
            "properties": {
                "within": _estimate(_SHARE),
                "between": _estimate(_SHARE),
                "group_s": _GROUP_S,
            },
            "required": ["within", "between", "group_s"],
            "additionalProperties": False,
        },
        "classes": {
            "type": "object",
            "propertyNames": {"pattern": "^[^\0\ud800-\udfff]+$"},
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "things": _COUNT,
                    "looks": _COUNT,
                    "ceiling": _estimate(_SHARE),
                    "curves": {"type": "array", "items": _CURVE, "minItems": 1},
                },
                "required": ["things", "looks", "curves"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["format", "version", "model", "measured", "classes"],
    "additionalProperties": False,
}


def curves_of(document: Mapping[str, Any], model: str, confidence: float) -> DetectionCurves:
    """Return the curves of a document that keeps to `SCHEMA`, at a threshold.

    What was not measured (blur, dependence, a ceiling) is as assumed; without a ceiling nothing is
    found later that the best look does not find.

    Args:
        model: name of the model's file.
        confidence: threshold in force, 0..1.

    Raises:
        ConfigurationError: values contradict each other.
    """
    blur_px = _value(document.get("blur_px"), DetectionCurve(1.0, 1.0, 1.0).blur_px)
    _check_counts(document)
    assumed = Dependence()
    shown = document.get("dependence")
    try:
        dependence = assumed
        if shown is not None:
            dependence = Dependence(
                _value(shown["within"], 0.0), _value(shown["between"], 0.0), shown["group_s"]
            )
        classes = []
        for name, one in document["classes"].items():
            measured = _at(one["curves"], confidence)
            if measured is None:
                continue
            p_max = _value(measured["p_max"], 0.0)
            curve = DetectionCurve(
                p_max,
                _value(measured["size_50_px"], 1.0),
                _value(measured["width"], 1.0),
                max(p_max, _value(one.get("ceiling"), p_max)),
                blur_px,
            )
            alarms = _value({"value": measured["false_alarms_per_look"]}, 0.0)
            classes.append(ClassCurve(name, curve, True, int(one["things"]), alarms))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return DetectionCurves(model, confidence, dependence, shown is not None, tuple(classes))


def _check_counts(document: Mapping[str, Any]) -> None:
    """Check that counts and intervals are such as can be measured: nothing else was edited, then.

    Raises:
        ConfigurationError: more were found than looked for, or ends are in the wrong order.
    """
    for name, one in document["classes"].items():
        for index, curve in enumerate(one["curves"]):
            at = f"classes/{name}/curves/{index}"
            for key in ("p_max", "size_50_px", "width"):
                low, high = (curve[key].get(end, 0.0) for end in ("low", "high"))
                if low > high:
                    raise ConfigurationError(f"{at}/{key}: low {low} is above high {high}")
            for number, group in enumerate(curve["bins"]):
                if group["found"] > group["looks"]:
                    counts = f"found {group['found']} of {group['looks']} looks"
                    raise ConfigurationError(f"{at}/bins/{number}: {counts}, no more are allowed")


def _at(curves: list[dict[str, Any]], confidence: float) -> dict[str, Any] | None:
    """Return the curve of the least threshold that is not below this one; None: there is none."""
    fitting = [one for one in curves if one["confidence"] >= confidence - _SAME]
    return min(fitting, key=lambda one: one["confidence"], default=None)


def _value(estimate: Mapping[str, Any] | None, default: float) -> float:
    if estimate is None:
        return default
    value = float(estimate["value"])
    if not math.isfinite(value):
        raise ValueError(f"value {value}: a finite number is allowed")
    return value
