"""What a task of an event loop ends by is looked at.

An event loop keeps an exception of a task to itself until somebody asks for it: what was to go on
for ever stops, and nothing says so. So whoever makes a task awaits it, asks it how it ended, or has
it tell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("*_pkg/src", "tools", "bench", "launch", "examples")
MAKES = {"create_task", "ensure_future"}
Function = ast.FunctionDef | ast.AsyncFunctionDef
ASKS = {"exception", "result", "add_done_callback"}


def is_made(node: ast.AST) -> bool:
    """Whether it makes a task; an executor of rclpy raises in its spin what its tasks raise."""
    if not isinstance(node, ast.Call):
        return False
    match node.func:
        case ast.Attribute(owner, name):
            return name in MAKES and "executor" not in ast.unparse(owner).rpartition(".")[2]
        case ast.Name(name):
            return name in MAKES
    return False


def names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def holders(function: ast.AST, first: set[str]) -> set[str]:
    """The names under which tasks go that have one of these names: of a list, an item's, too."""
    found = set(first)
    for _ in range(3):  # a list, what is done of it, one of that
        for node in ast.walk(function):
            match node:
                case ast.Assign([target], value) if names(value) & found:
                    if isinstance(value, ast.Await | ast.Name):
                        found |= names(target)
                case ast.For(target, source) | ast.comprehension(target, source):
                    if isinstance(source, ast.Name) and source.id in found:
                        found |= names(target)
    return found


def is_looked_at(function: ast.AST, first: set[str], functions: Mapping[str, Function]) -> bool:
    """Whether a function awaits what has these names, asks it, or hands it to one that does."""
    found = holders(function, first)
    for node in ast.walk(function):
        match node:
            case ast.Await(ast.Name(name)) if name in found:
                return True
            case ast.Call(ast.Attribute(ast.Name(name), asked)) if name in found and asked in ASKS:
                return True
            case ast.Await(ast.Call(ast.Attribute(_, "gather")) as call):
                is_kept = any(one.arg == "return_exceptions" for one in call.keywords)
                if not is_kept and any(names(one) & found for one in call.args):
                    return True
            case ast.Call(ast.Name(called), arguments) if called in functions:
                given = [argument.arg for argument in functions[called].args.args]
                taken = {
                    name
                    for name, one in zip(given, arguments, strict=False)
                    if isinstance(one, ast.Name) and one.id in found
                }
                if taken and is_looked_at(functions[called], taken, functions):
                    return True
    return False


def unseen(source: str) -> Iterator[int]:
    """Return the lines that make a task whose end nobody looks at."""
    tree = ast.parse(source)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = {one.name: one for one in ast.walk(tree) if isinstance(one, kinds)}
    for function in functions.values():
        within = [one for one in ast.walk(function) if isinstance(one, kinds)][1:]
        inner = {id(node) for one in within for node in ast.walk(one)}
        own = [node for node in ast.walk(function) if id(node) not in inner]
        made = [node for node in own if isinstance(node, ast.Call) and is_made(node)]
        for call in made:
            bound = {
                name
                for node in own
                if isinstance(node, ast.Assign) and any(one is call for one in ast.walk(node.value))
                for target in node.targets
                for name in names(target)
            }
            is_awaited = any(isinstance(node, ast.Await) and node.value is call for node in own)
            if not is_awaited and not is_looked_at(function, bound, functions):
                yield call.lineno


def sources() -> list[Path]:
    return sorted(
        path
        for pattern in FOLDERS
        for folder in ROOT.glob(pattern)
        for path in folder.rglob("*.py")
    )


def test_what_a_task_ends_by_is_looked_at() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        for line in unseen(path.read_text())
    ]
    assert not found, "a failure there would be seen by nobody"


def test_there_are_tasks_to_look_at() -> None:
    assert sum("create_task(" in path.read_text() for path in sources()) > 5


@pytest.mark.parametrize(
    ("body", "is_seen"),
    [
        ("asyncio.create_task(work())", False),
        ("task = asyncio.create_task(work())\n    task.cancel()", False),
        ("task = loop.create_task(work())\n    await stop.wait()\n    task.cancel()", False),
        ("task = asyncio.create_task(work())\n    await asyncio.wait([task])", False),
        (
            "task = asyncio.create_task(work())\n"
            "    await asyncio.gather(task, return_exceptions=True)",
            False,
        ),
        ("tasks = [asyncio.ensure_future(work()) for _ in range(3)]", False),
        ("task = asyncio.create_task(work())\n    _drop(task)", False),
        ("self._executor.create_task(work)", True),
        ("await asyncio.create_task(work())", True),
        ("task = asyncio.create_task(work())\n    await task", True),
        ("task = asyncio.create_task(work())\n    task.add_done_callback(look)", True),
        ("task = asyncio.create_task(work())\n    await asyncio.gather(task)", True),
        ("task = asyncio.create_task(work())\n    _look(task)", True),
        (
            "tasks = [asyncio.create_task(work())]\n    done, _ = await asyncio.wait(tasks)\n"
            "    for one in done:\n        one.result()",
            True,
        ),
    ],
)
def test_the_check_can_fail(body: str, is_seen: bool) -> None:
    source = (
        f"async def main():\n    {body}\n\n"
        "def _look(task):\n    raise task.exception()\n\ndef _drop(task):\n    task.cancel()\n"
    )
    assert list(unseen(source)) == ([] if is_seen else [2])
