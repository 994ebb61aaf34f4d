"""Large libraries of a scan, imported when one begins.

They take 40 MB and a third of a second of processor time, and a robot that waits for its first goal
has no use for them. `scan.core` imports each where it needs it; done here before, off the control
loop, that is not a long step of it.
"""

from __future__ import annotations

from importlib import import_module

#: What `scan.core` imports inside functions.
LARGE = ("scipy.optimize", "scipy.ndimage", "scipy.sparse.csgraph", "skimage.morphology")


def preload() -> None:
    """Import them; where that has been done, return at once."""
    for name in LARGE:
        import_module(name)
