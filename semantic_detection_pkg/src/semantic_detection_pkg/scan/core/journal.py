"""What is recorded of one step of the scan controller, and how its inputs are written down."""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ros_support_pkg.core.settings import as_before, with_new_names
from semantic_detection_pkg.common.core.serialization import canonical, from_plain, to_plain
from semantic_detection_pkg.scan.core.inputs import (
    GimbalReading,
    Input,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings

#: What the list of inputs holds where a new controller began.
_SETTINGS_TYPE = "ScanSettings"
#: And what it holds now and then in between: rings let go of their beginning.
_IN_FORCE_TYPE = "SettingsInForce"
_IN_FORCE_STEPS = 200

#: Behaviours under the names that they had, and how the reasons that they gave began, with what
#: each became: recordings with the old words are compared by the new ones. No old name is in use
#: again, and no reason of today begins with an old one, so that applying it twice changes nothing.
_RENAMED_BEHAVIOURS: dict[str, tuple[str, dict[str, str]]] = {
    "safe": ("hold still", {}),
    "operator": ("point for operator", {"an operator looks here": "an operator has the camera"}),
    "paused": ("stay paused", {}),
    "rest": (
        "go to rest",
        {
            "goes to rest": "returning to rest",
            "no goal; rest was not": "no goal; the rest position was not",
        },
    ),
    "prepare": (
        "prepare search",
        {"tells the": "telling the", "waits for a first": "waiting for the first"},
    ),
    "choose view": (
        "choose view",
        {"waits for what the last views show": "waiting for the results of the last views"},
    ),
    "approach": ("approach view", {"approaches": "approaching"}),
    "tier 1 detector": ("watch candidates", {"watches": "watching"}),
    "tier 2 classifier": ("await classifier", {"classifies": "classifying"}),
    "sweep": ("sweep area", {"sweeps": "sweeping"}),
    "follow path": ("follow path", {"follows": "following"}),
    "tier 3 model": ("ask vlm", {"asks the model": "asking the VLM"}),
    "finish": (
        "finish search",
        {"the area is covered: begins again": "the area is covered: starting again"},
    ),
}
_READING = struct.Struct("<q12d")
# Canonical JSON: quotes within a text are escaped, so this is a key of the status and nothing else.
_STATUS = re.compile(r'"leaf":"([^"\\]*)","level":(\d+),"reason":"')


@dataclass(frozen=True)
class RecordedStep:
    """One step as msg/ScanJournal tells it.

    Attributes:
        number: 0.., counted up by the node; a gap says that steps were lost.
        now_ns: [ns] the time that the step was given.
        gimbal_ns, detections_ns: stamps of the messages that it took, in that order.
        inputs: JSON list of all other inputs; see `inputs_to_json`.
        decision: canonical JSON.
        gimbal_checksums: `reading_checksum` of each of `gimbal_ns`; empty in recordings of before
            they were kept.
    """

    number: int
    now_ns: int
    gimbal_ns: tuple[int, ...]
    detections_ns: tuple[int, ...]
    inputs: str
    decision: str
    gimbal_checksums: tuple[int, ...] = ()


def reading_checksum(reading: GimbalReading) -> int:
    """Return a CRC-32 of a reading, which its stamp alone does not name.

    The gimbal's state is published as often as its newest angles are asked for, so several readings
    have one stamp, and their zoom or link may differ. Recordings hold it: fields that come later
    stay out of it.
    """
    values: tuple[float, ...] = (
        reading.yaw_rad,
        reading.pitch_rad,
        reading.roll_rad,
        reading.yaw_rate_rad_s,
        reading.pitch_rate_rad_s,
        reading.zoom,
        reading.hfov_rad,
        reading.zoom_max,
        reading.yaw_min_rad,
        reading.yaw_max_rad,
        reading.pitch_min_rad,
        reading.pitch_max_rad,
    )
    if math.isnan(sum(values)):
        values = tuple(math.nan if math.isnan(value) else value for value in values)  # one of many
    return zlib.crc32(_READING.pack(reading.stamp_ns, *values) + reading.link.encode())


def inputs_to_json(
    settings: ScanSettings | None, inputs: Sequence[Input], in_force: ScanSettings | None = None
) -> str:
    """Return the inputs of one step that are no messages of their own.

    Args:
        settings: where a new controller began with this step.
        in_force: those of a controller that goes on, to be told again.
    """
    plain: list[object] = [input_to_plain(item) for item in inputs]
    if settings is not None:
        plain.insert(0, {"type": _SETTINGS_TYPE, **to_plain(settings)})
    elif in_force is not None:
        plain.insert(0, {"type": _IN_FORCE_TYPE, **to_plain(in_force)})
    return canonical(plain)


def is_told_again(step: int) -> bool:
    """Return whether the settings in force go with this step."""
    return step % _IN_FORCE_STEPS == 0


def with_present_words(step: RecordedStep) -> RecordedStep:
    """Return a step whose decision names behaviours and reasons as this version does."""
    text = step.decision
    found = _STATUS.search(text)
    if found is None or found[1] not in _RENAMED_BEHAVIOURS:
        return step
    name, reasons = _RENAMED_BEHAVIOURS[found[1]]
    rest = text[found.end() :]
    for old, new in reasons.items():
        if rest.startswith(old):
            rest = new + rest[len(old) :]
            break
    status = f'"leaf":"{name}","level":{found[2]},"reason":"'
    return replace(step, decision=text[: found.start()] + status + rest)


@dataclass(frozen=True)
class StepInputs:
    """The inputs of one step that are no messages of their own.

    Attributes:
        settings: where a new controller began with this step; else None.
        in_force: settings of the controller that took this step, where they are told.
        version_notes: settings that this version has and the recording has not, or the reverse.
    """

    others: tuple[Input, ...]
    settings: ScanSettings | None = None
    version_notes: tuple[str, ...] = ()
    in_force: ScanSettings | None = None


def inputs_from_json(text: str) -> StepInputs:
    """Return what `inputs_to_json` wrote, bit for bit.

    Settings of another version are taken as far as they are known, also by the names that they had
    before; new ones have the values by which the scan went before them, else their defaults.

    Raises:
        ValueError: it is no journal, or its inputs are of another version.
    """
    settings: ScanSettings | None = None
    in_force: ScanSettings | None = None
    others: list[Input] = []
    notes: list[str] = []
    try:
        for plain in json.loads(text):
            fields = dict(plain)
            if fields.get("type") in (_SETTINGS_TYPE, _IN_FORCE_TYPE):
                is_new = fields.pop("type") == _SETTINGS_TYPE
                fields = with_new_names(ScanSettings, fields)
                told = notes if is_new else []
                known = _merged(to_plain(as_before(ScanSettings())), fields, "", told)
                in_force = from_plain(ScanSettings, known)
                settings = in_force if is_new else settings
            else:
                others.append(input_from_plain(fields))
    except TypeError as error:  # JSON, but no list of objects
        raise ValueError(str(error)) from error
    return StepInputs(tuple(others), settings, tuple(notes), in_force)


def _merged(
    ours: dict[str, Any], theirs: dict[str, Any], before: str, notes: list[str]
) -> dict[str, Any]:
    notes += [f"{before}{name} is not known any more" for name in sorted(theirs.keys() - ours)]
    merged = {}
    for name, value in ours.items():
        if name not in theirs:
            notes.append(f"{before}{name} is new, {value} is taken")
        elif isinstance(value, dict) and isinstance(theirs[name], dict):
            value = _merged(value, theirs[name], f"{before}{name}.", notes)
        else:
            value = theirs[name]
        merged[name] = value
    return merged
