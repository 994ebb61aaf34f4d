"""Who may be on a GPU's lock, in words that an arbiter knows its own by.

Several robots may share a host, and by mistake a lock file: an arbiter ends only what is its own.
Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path


def robot(namespace: str) -> str:
    """Return the owner of what belongs to a robot: its ROS domain and namespace."""
    return f"robot {os.environ.get('ROS_DOMAIN_ID', '0')} {namespace.rstrip('/') or '/'}"


def model(epoch_file: str | Path) -> str:
    """Return the owner of the model that checks its leases in an epoch file."""
    return f"model {os.path.abspath(epoch_file)}"
