"""What was looked at, with its figure, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from containers.engine import ContainerError

_WIDTH = 26
_FAULT_CHARACTERS = 1000


@dataclass
class Check:
    """One thing that is looked at; `figures` are added while it is."""

    name: str
    figures: list[str] = field(default_factory=list)
    fault: str = ""

    def line(self) -> str:
        """Return it as one line."""
        said = ", ".join([*self.figures, *filter(None, [self.fault])])
        return f"{'BAD' if self.fault else 'ok':>4}  {self.name:<{_WIDTH}} {said}"


class Report:
    """All checks of a run, printed one by one."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    @property
    def faults(self) -> int:
        """How many were not as promised."""
        return sum(bool(check.fault) for check in self.checks)

    @contextmanager
    def check(self, name: str, *, is_vital: bool = False) -> Iterator[Check]:
        """Look at one thing; a failed assertion or command is its fault, and the rest goes on.

        Raises:
            ContainerError: something vital failed: the rest makes no sense.
        """
        check = Check(name)
        self.checks.append(check)
        try:
            yield check
        except (AssertionError, ContainerError, OSError) as error:
            check.fault = " ".join(str(error).split())[:_FAULT_CHARACTERS] or type(error).__name__
            if is_vital:
                raise ContainerError(f"{name}: {check.fault}") from error
        finally:
            print(check.line(), flush=True)
