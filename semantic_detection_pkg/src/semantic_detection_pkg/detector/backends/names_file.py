"""Files of class names, in the forms that people have.

list         one name on each line, by class id; a blank line is a class that is not used
label map    "ID NAME" on each line (TensorFlow Lite, Frigate); ids may be left out
data.yaml    `names` as a list or as a table from ids (Ultralytics, Roboflow); JSON, too
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from semantic_detection_pkg.detector.core.class_names import LABEL_MAP_LINE, MOST_CLASSES
from semantic_detection_pkg.errors import ConfigurationError

_NAMES_KEY = re.compile(r"^names\s*:", re.MULTILINE)


def read_names(path: str | Path) -> tuple[str, ...]:
    """Read class names from a file, by class id; "" where a class is unused.

    Raises:
        ConfigurationError: the file cannot be read, has another form or names nothing.
    """
    try:
        return parse_names(Path(path).read_bytes())
    except ConfigurationError as error:
        raise ConfigurationError(f"names file {path}: {error}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"names file {path}: {reason}") from error


def parse_names(content: bytes) -> tuple[str, ...]:
    """Read the names out of a file's bytes.

    Returns:
        Names by class id, stripped; "" where a class has none; blank lines at the end, too.

    Raises:
        ConfigurationError: it is not UTF-8, names nothing, or contradicts itself.
    """
    text = _decoded(content)
    if re.match(r"\s*item\s*\{", text):
        raise ConfigurationError(
            "is a TensorFlow .pbtxt label map; write the names one on each line"
        )
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    if lines[-1] == "":
        del lines[-1]  # what follows the end of the last line is no line
    if _NAMES_KEY.search(text) or text.lstrip().startswith(("{", "[")):
        names = _yaml_names(text)
    else:
        matches = [LABEL_MAP_LINE.fullmatch(line) for line in lines if line]
        if matches and all(matches):
            names = _by_id([(match[1], match[2].strip()) for match in matches if match])
        else:
            names = tuple(lines)
    if not any(names):
        raise ConfigurationError(
            "holds no name; a name on each line is needed, lines of id and name, or a data.yaml"
        )
    return names


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:1000]:
        raise ConfigurationError("is UTF-16 text, or no text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"is not UTF-8: byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8"
        ) from None


def _yaml_names(text: str) -> tuple[str, ...]:
    try:
        # All scalars as texts: a class may be called `no` or `1`.
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}") from None
    names = document.get("names", document) if isinstance(document, Mapping) else document
    if isinstance(names, str) and names:
        raise ConfigurationError(
            f"names {names[:40]!r} must be a list or a table from ids, such as [{names[:40]}]"
        )
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names or ())
    by_id = _by_id([(str(key), value) for key, value in pairs])
    count = document.get("nc") if isinstance(document, Mapping) else None
    if isinstance(count, str) and count.isdecimal() and int(count) < len(by_id):
        raise ConfigurationError(f"names {len(by_id)} classes, but its nc is {count}")
    if isinstance(names, Mapping) and isinstance(count, str) and count.isdecimal():
        by_id += ("",) * (min(int(count), MOST_CLASSES) - len(by_id))
    return by_id


def _by_id(pairs: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for key, value in pairs:
        if not key.isdecimal() or int(key) >= MOST_CLASSES or not isinstance(value, str):
            raise ConfigurationError(
                f"class {key[:40]}: {str(value)[:40]!r} must be an id of 0..{MOST_CLASSES - 1} "
                "with a name"
            )
        if int(key) in names:
            raise ConfigurationError(f"names class {int(key)} twice")
        names[int(key)] = value.strip()
    return tuple(names.get(i, "") for i in range(max(names, default=-1) + 1))
