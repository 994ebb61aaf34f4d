"""A dashboard in a process of its own, which may open few files.

`dashboard_victim.py FOLDER FILES` writes its address and ends when its input ends.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from fake_robot import FakeRobot

from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.server import DashboardServer
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings


def main() -> None:
    folder, files = Path(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    server = DashboardServer(
        Dashboard(DashboardSettings(port=0, evidence_dir=folder / "events"), FakeRobot())
    )
    server.start()
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
