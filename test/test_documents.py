"""What documents and docstrings name exists: modules, what is in them, files, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "ros_support_pkg",
    "semantic_detection_pkg",
    "gimbal_driver_pkg",
    "vlm_bridge_pkg",
    "simulation_pkg",
)
#: Not the change log, nor decisions: they name what was.
DOCUMENTS = [
    ROOT / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("*_pkg/README.md"),
    *ROOT.glob("docker/*.md"),
    *ROOT.glob("examples/*.md"),
]
MODULES = {
    ".".join(path.relative_to(ROOT / package / "src").with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for package in PACKAGES
    for path in (ROOT / package / "src" / package).rglob("*.py")
}
STEMS = {name.rpartition(".")[2] for name in MODULES}
#: Files that are called as a module is.
FILES = re.compile(r".*\.(engine|geojson|lock|onnx)")
DOTTED = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\))?`")
TOP_FOLDERS = "|".join(
    path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."
)
SPANS = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
PATHS = re.compile(rf"(?<![\w./:~-])((?:{TOP_FOLDERS})/[\w./*-]+)")
LINKS = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
#: Made by building, running or exporting, not there in a fresh clone.
MADE = re.compile(r"(build|install|log|output)/.*|models/(?!demo).*|bench/results/latest.json")


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def named_in(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """Return what statements define, by name."""
    names: dict[str, ast.stmt] = {}
    for one in body:
        if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[one.name] = one
        elif isinstance(one, ast.Assign | ast.AnnAssign):
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                names |= {n.id: one for n in ast.walk(target) if isinstance(n, ast.Name)}
        elif isinstance(one, ast.If | ast.Try):
            names |= named_in(one.body)
    return names


@cache
def defines(module: str, name: str) -> bool:
    """Whether a module, or a class in it, has a name such as `Class.attribute`."""
    body = ast.parse(MODULES[module].read_text()).body
    for part in name.split("."):
        found = named_in(body).get(part)
        if found is None:
            return False
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def ending(name: str) -> list[str]:
    """Return the modules whose full names end so."""
    return [module for module in MODULES if module == name or module.endswith(f".{name}")]


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, in full or its end, or something in one."""
    if ending(name):
        return True
    parts = name.split(".")
    return any(
        defines(module, ".".join(parts[cut:]))
        for cut in range(1, len(parts))
        for module in ending(".".join(parts[:cut]))
    )


def is_of_ours(name: str) -> bool:
    """Whether a dotted name claims to be code of this workspace.

    It begins with a package, ends with a module's name, or begins with the last two parts of one;
    `settings.rest`, an attribute of an argument, is none of these.
    """
    parts = name.split(".")
    return (
        parts[0] in PACKAGES
        or parts[-1] in STEMS
        or (len(parts) > 2 and bool(ending(".".join(parts[:2]))))
    )


def missing(text: str) -> list[str]:
    """Return the names of code in a text that are not there."""
    names = {match[1] for match in DOTTED.finditer(text) if not FILES.fullmatch(match[1])}
    return sorted(name for name in names if is_of_ours(name) and not is_there(name))


def has_file(name: str, folder: Path) -> bool:
    """Whether a path exists in the workspace or beside its document.

    It may have stars, or be a ROS type (`interfaces_pkg/action/Scan`).
    """
    patterns = (name.rstrip("/"), f"{name.rstrip('/')}.*")
    return any(any(place.glob(pattern)) for place in (ROOT, folder) for pattern in patterns)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_what_is_there(path: Path) -> None:
    text = path.read_text()
    files = {name.rstrip(".") for span in SPANS.findall(text) for name in PATHS.findall(span)}
    assert missing(text) == []
    assert [
        name for name in files if not MADE.fullmatch(name) and not has_file(name, path.parent)
    ] == []
    assert [link for link in LINKS.findall(text) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_name_what_is_there(package: str) -> None:
    found = {
        name: missing("\n".join(docstrings(path)))
        for name, path in MODULES.items()
        if name.split(".")[0] == package
    }
    assert {name: names for name, names in found.items() if names} == {}


def test_the_check_can_fail() -> None:
    text = (
        "`semantic_detection_pkg.nowhere` `nowhere.registry` `camera.sources.registry.Nobody` "
        "`semantic_detection_pkg.camera.sources.registry.open_camera` `sources.registry` `a.b`"
    )
    assert missing(text) == [
        "camera.sources.registry.Nobody",
        "nowhere.registry",
        "semantic_detection_pkg.nowhere",
    ]
