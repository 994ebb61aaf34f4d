"""docs/scan_tree.md: the scan controller's behaviour tree, drawn from the tree itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector, Sequence

from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tree import build_tree

_HEAD = """\
# The scan controller's tree

Made by `make docs` from `semantic_detection_pkg.scan.core.tree`. Each step begins at the root and
goes from left to right. `→` does one after the other: a behaviour that has nothing to do lets the
next one go on, one that has the gimbal ends the step. Before each step the evidence about all
candidates is evaluated (`evaluate_candidates`), see [the life of a candidate](candidate.md). Why
steps are pure: decision 0008.

"""


def scan_tree() -> str:
    """Return the page with the diagram and a table of the behaviours."""
    root = build_tree(Blackboard(ScanSettings()))
    ids = {node: f"n{number}" for number, node in enumerate(_walk(root))}
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"    {ids[node]}{_shape(node)}" for node in ids]
    lines += [f"    {ids[node]} --> {ids[child]}" for node in ids for child in node.children]
    lines += ["```", "", "| behaviour | level | what it does |", "| --- | --- | --- |"]
    lines += [_row(node) for node in ids if not node.children]
    return _HEAD + "\n".join(lines) + "\n"


def _walk(node: Behaviour) -> Iterator[Behaviour]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _shape(node: Behaviour) -> str:
    if isinstance(node, Selector):
        return f'{{{{"? {node.name}"}}}}'
    if isinstance(node, Sequence):
        return f'[/"→ {node.name}"/]'
    return f'("{node.name}")'


def _row(leaf: Behaviour) -> str:
    text = " ".join((inspect.getdoc(type(leaf)) or "").split("\n\n")[0].split())
    level = leaf.level.name.lower()  # type: ignore[attr-defined]
    return f"| {leaf.name} | {level} | {text} |"
