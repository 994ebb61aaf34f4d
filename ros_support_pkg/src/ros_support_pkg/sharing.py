"""Several nodes in one process: a participant, an interpreter and its libraries once for all.

    nodes --with gpu_arbiter,tak --node gpu_arbiter WORDS --node scan_controller WORDS
        --node tak WORDS --ros-args ...

WORDS are a node's own, as in a process of its own: `--params-file FILE`, `--param NAME:=VALUE` with
a value in YAML, `--text NAME:=TEXT` as it stands. Later ones win. Of the nodes that are described
those in `--with` run, in its order. What follows `--ros-args` counts for all, a namespace for one.

Each node keeps its name, its log, its parameters and an executor of its own. When one fails, the
process ends as that node's own would, with its status: whoever starts it again starts them all. So
it does when a user's mistake keeps one from starting; on a robot, where the process would be
started again into the same mistake, the others go on without that one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from typing import Any

from ros_support_pkg.starting import leave_on_interrupt

#: Entry points of packages: name of a node = its `NodeProgram`.
GROUP = "semantic_detection.nodes"

_OPTIONS = ("--params-file", "--param", "--text")
_USAGE = (
    "usage: nodes --with NAME[,NAME...] [--node NAME [--params-file FILE] [--param NAME:=VALUE]\n"
    "             [--text NAME:=TEXT]]... [--ros-args ...]\n\n"
)


class SharingError(Exception):
    """Say what is wrong with the arguments: one line for the user."""


def split_words(words: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the nodes that are to run with arguments for ROS of each, and those for all.

    Raises:
        SharingError: they are not of the form above.
    """
    common: tuple[str, ...] = ()
    if "--ros-args" in words:
        at = list(words).index("--ros-args")
        words, common = words[:at], tuple(words[at:])
    chosen: tuple[str, ...] = ()
    described: dict[str, list[str]] = {}
    name = ""
    for option, value in _pairs(words):
        if option == "--with":
            chosen = tuple(filter(None, value.split(",")))
        elif option == "--node":
            name = value
            if name in described:
                raise SharingError(f"node {name!r} is described twice")
            described[name] = []
        elif not name:
            raise SharingError(f"{option} {value}: allowed is --node NAME before it")
        else:
            described[name] += _ros_words(option, value)
    if not chosen:
        raise SharingError("no node is to run; --with NAME[,NAME...] says which")
    twice = [one for one in chosen if chosen.count(one) > 1]
    if twice:
        raise SharingError(f"node {twice[0]!r} is to run twice")
    return {one: ("--ros-args", *described.get(one, ())) for one in chosen}, common


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    known = ("--with", "--node", *_OPTIONS)
    rest = iter(words)
    for option in rest:
        if option not in known:
            raise SharingError(f"argument {option!r}: allowed is {', '.join(known)}, --ros-args")
        value = next(rest, None)
        if value is None:
            raise SharingError(f"{option} has no value")
        yield option, value


def _ros_words(option: str, value: str) -> tuple[str, ...]:
    """Return an option of a node as ROS has it.

    An empty YAML value is none at all: of a launch argument that nobody has given.
    """
    if option == "--params-file":
        return option, value
    name, given, text = value.partition(":=")
    if not name or not given:
        raise SharingError(f"{option} {value!r}: allowed is NAME:=VALUE")
    if option == "--text":
        # A double-quoted text of JSON is one of YAML, too.
        return "-p", f"{name}:={json.dumps(text, ensure_ascii=False)}"
    return ("-p", value) if text.strip() else ()


def main() -> int:
    """Run the nodes that the process's arguments ask for; return the exit status."""
    leave_on_interrupt("ros_support_pkg")
    words = sys.argv[1:]
    own = words[: words.index("--ros-args")] if "--ros-args" in words else words
    if {"-h", "--help"} & set(own):
        print(_USAGE + (__doc__ or ""))  # noqa: T201 - this is what was asked for
        return 0
    # Before anything large is imported: a mistake is said at once.
    from ros_support_pkg import running  # see `starting`

    try:
        by_node, common = split_words(words)
        members = [
            running.Member(_program(name), own_words, name) for name, own_words in by_node.items()
        ]
    except SharingError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - there is no node's log
        if os.environ.get(running.RESPAWN_MARK) == "true":
            running.wait_to_be_stopped(running.RESPAWN_AFTER_MISTAKE_S)
        return running.EXIT_USAGE
    return running.run_members(members, [sys.argv[0], *common])


def _program(name: str) -> Any:
    for one in entry_points(group=GROUP, name=name):
        return one.load()
    known = sorted({one.name for one in entry_points(group=GROUP)})
    raise SharingError(f"node {name!r} is not known; known are {', '.join(known)}")


if __name__ == "__main__":
    sys.exit(main())
