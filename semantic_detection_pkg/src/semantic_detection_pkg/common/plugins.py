"""What other packages add to this one, by entry point: cameras, inference engines.

A package declares `NAME = its.module` in a group of its `setup.py`; nothing here knows which
packages there are, and a robot lacks those that only tests and demonstrations need.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from types import ModuleType

from semantic_detection_pkg.errors import ConfigurationError


def plugin_names(group: str) -> tuple[str, ...]:
    """Return the names that installed packages offer in a group."""
    return tuple(sorted({one.name for one in entry_points(group=group)}))


def load_plugin(group: str, name: str) -> ModuleType | None:
    """Import the module that a package offers under a name; None where none does.

    Raises:
        ConfigurationError: the module does not load.
    """
    for one in entry_points(group=group, name=name):
        try:
            module: ModuleType = one.load()
        except Exception as error:  # whatever another package's import raises
            raise ConfigurationError(
                f"{group} {name}: {one.value} does not load: {error}"
            ) from error
        return module
    return None
