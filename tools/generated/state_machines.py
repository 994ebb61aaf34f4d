"""docs/gpu_arbiter.md: the arbiter's turns, drawn from its table."""

from __future__ import annotations

from semantic_detection_pkg.gpu.core.turns import TRANSITIONS

_HEAD = """\
# Turns on the GPU

Made by `make docs` from `semantic_detection_pkg.gpu.core.turns`. Why it is so: decision 0005.

```mermaid
stateDiagram-v2
    [*] --> starting
"""


def gpu_turns() -> str:
    """The page with the diagram."""
    arrows = [
        f"    {before.value} --> {after.value}: {cause.value}"
        for (before, cause), after in TRANSITIONS.items()
    ]
    return _HEAD + "\n".join(arrows) + "\n```\n"
