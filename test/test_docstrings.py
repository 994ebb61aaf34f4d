"""Docstrings of functions begin with what the function does, "Return the pose at capture."

ruff's D401 knows verbs in other forms and some nouns; what it lets through is here: clauses,
shapes and plural nouns.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "semantic_detection_pkg",
    "gimbal_driver_pkg",
    "vlm_bridge_pkg",
    "simulation_pkg",
    "ros_support_pkg",
)
_NO_VERBS = frozenset(
    ("a", "all", "an", "and", "are", "as", "by", "does", "each", "every", "for", "from", "how")
    + ("if", "in", "is", "it", "its", "no", "none", "nothing", "of", "on", "one", "the", "those")
    + ("to", "two", "what", "when", "where", "whether", "which", "who", "why", "with", "without")
)
_PROPERTIES = ("property", "setter", "cached_property")


def function_docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of all functions and methods that are no properties."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = [ast.unparse(one).split("(")[0].split(".")[-1] for one in node.decorator_list]
        text = ast.get_docstring(node)
        if text and not set(names) & set(_PROPERTIES):
            yield node.name, text


def is_about_doing(docstring: str) -> bool:
    """Return whether a docstring may begin with a verb; one may consist of sections only."""
    first = re.match(r"[A-Z][a-z]+\b(?!s:)", docstring)
    return docstring.startswith("Args:") or (
        first is not None and first[0].lower() not in _NO_VERBS
    )


@pytest.mark.parametrize(
    ("docstring", "is_right"),
    [
        ("Return the pose.", True),
        ("Args:\n    first: number.", True),
        ("Whether it is there.", False),
        ("(n, 2) points.", False),
        ("[s] since then.", False),
        ("One line for each.", False),
        ("`name` as it is.", False),
    ],
)
def test_what_is_a_right_beginning(docstring: str, is_right: bool) -> None:
    assert is_about_doing(docstring) is is_right


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_say_what_they_do(package: str) -> None:
    files = sorted((ROOT / package / "src").rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}: {name}: {text.splitlines()[0]}"
        for path in files
        for name, text in function_docstrings(path.read_text())
        if not is_about_doing(text)
    ]
    assert wrong == []
