"""docs/gpu_arbiter.md, gimbal_link.md and candidate.md: state machines, drawn from their tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from gimbal_driver_pkg.core import link_state
from semantic_detection_pkg.gpu.core.turns import TRANSITIONS
from semantic_detection_pkg.scan.core import candidate_states

_State = TypeVar("_State", bound=Enum)
_Cause = TypeVar("_Cause", bound=Enum)

_GPU_HEAD = """\
# Turns on the GPU

Made by `make docs` from `semantic_detection_pkg.gpu.core.turns`. Why it is so: decision 0005.

```mermaid
stateDiagram-v2
    [*] --> starting
"""


_GPU_FOOT = """
## An operator's word

What an operator deactivates (`ros2 lifecycle set /detector deactivate`, with `cleanup` after it or
without) stays so until somebody activates it by hand. While it does, no lease is given: requests
are refused at once, and `gpu/state`, the log and the diagnostics of arbiter and detector say that
the detector was deactivated by an operator and is to be activated by hand.

A transition does not tell who asked for it, and what is taken for an operator's word by mistake
would blind the robot for ever. So the arbiter has services of its own at the detector
(`detector/gpu/get_state`, `detector/gpu/change_state`), and the detector remembers what came by the
common ones. An order of an arbiter that has died, or one that comes late, is no operator's word; a
deactivation that failed, or the detector's own end, is none either.

| what happens | then |
|---|---|
| the arbiter begins anew | the detector stays as it was left: it is the detector that knows |
| the detector's process begins anew | it is brought up: who starts it wants it to work |
| an order to activate was on its way | the detector refuses it |
| `deactivate` during a lease | refused: it is inactive already, and comes back afterwards |
"""


_CANDIDATE_HEAD = """\
# The life of a candidate

Made by `make docs` from `semantic_detection_pkg.scan.core.candidate_states`. A track becomes a
candidate, and the tiers gather evidence until they have decided. A candidate that turns out to be
the same thing as another one is dropped in any state; one with a verdict is left alone for the
cooldown.

```mermaid
stateDiagram-v2
    [*] --> detecting
"""


_LINK_HEAD = """\
# The line to the gimbal

Made by `make docs` from `gimbal_driver_pkg.core.link_state`. The names are those of `link` in
msg/GimbalState. Only while it is up are angles taken for poses.

```mermaid
stateDiagram-v2
    [*] --> down
"""


def gimbal_link() -> str:
    """Return the page with the diagram of the line to the gimbal."""
    return _LINK_HEAD + _arrows(link_state.TRANSITIONS) + "\n```\n"


def gpu_turns() -> str:
    """Return the page with the diagram of the turns on the GPU."""
    return _GPU_HEAD + _arrows(TRANSITIONS) + "\n```\n" + _GPU_FOOT


def candidate_states_page() -> str:
    """Return the page with the diagram of a candidate's states, and what each allows."""
    rows = ["", "| state | what may be done |", "| --- | --- |"]
    for state, actions in candidate_states.ALLOWED.items():
        allowed = ", ".join(one.value for one in candidate_states.CandidateAction if one in actions)
        rows.append(f"| {state.value} | {allowed or 'nothing'} |")
    diagram = _arrows(candidate_states.TRANSITIONS)
    return _CANDIDATE_HEAD + diagram + "\n```\n" + "\n".join(rows) + "\n"


def _arrows(table: Mapping[tuple[_State, _Cause], _State]) -> str:
    return "\n".join(
        f"    {before.name.lower()} --> {after.name.lower()}: {cause.value}"
        for (before, cause), after in table.items()
    )
