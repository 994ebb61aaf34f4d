"""The intrinsics of a camera from a file, as calibration tools write it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from semantic_detection_pkg.camera.core.calibration import Calibration
from semantic_detection_pkg.camera.core.calibration_formats import parse_calibration
from semantic_detection_pkg.errors import ConfigurationError

#: What cv::FileStorage writes in front of YAML; the colon is no YAML.
_OPENCV_HEADER = re.compile(r"\A\s*%YAML:1\.[0-9]\s*\n")
#: What is no YAML, by how it begins: told by name, since YAML's own words would mislead.
_OTHER_FORMATS = (
    (re.compile(r"<\?xml|<opencv_storage"), "is XML of OpenCV; write it as .yaml or .json"),
    (
        re.compile(r"# oST version|\[image\]", re.MULTILINE),
        "is INI of camera_calibration (ost.txt); the calibrator saves ost.yaml beside it, or: "
        "ros2 run camera_calibration_parsers convert ost.txt ost.yaml",
    ),
)


class _Loader(yaml.SafeLoader):
    """YAML with the types of cv::FileStorage, whose matrices are read as the tables they are."""


def _table(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.tag.rpartition(':')[2]} must be a table", node.start_mark
        )
    return loader.construct_mapping(node, deep=True)


for _type in ("opencv-matrix", "opencv-nd-matrix"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_type}", _table)


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration: ROS's camera_info, OpenCV's YAML or JSON, Kalibr's camera chain.

    Raises:
        ConfigurationError: it cannot be read, or something in it is missing or not allowed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        for begins, what in _OTHER_FORMATS:
            if begins.match(text.lstrip()):
                raise ConfigurationError(what)
        document = yaml.load(_OPENCV_HEADER.sub("", text), _Loader)
        return parse_calibration(document)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"calibration file {path}: {reason}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise ConfigurationError(f"calibration file {path}: {error}") from error
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"calibration file {path}: not YAML: {reason}") from error
