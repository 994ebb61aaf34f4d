"""views: the files of rviz2 and Foxglove for one robot among several.

    ros2 run semantic_detection_pkg views --namespace robot1 --output views/robot1
    ros2 launch semantic_detection_pkg view.launch.yaml namespace:=robot1 config_dir:=views/robot1

Without a namespace the installed files serve as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory

from semantic_detection_pkg.common.view_files import foxglove_of, rviz_of

_EXIT_USAGE = 2
_NAMESPACE = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
RVIZ, FOXGLOVE, URDF = "semantic_detection.rviz", "foxglove.json", "gimbal.urdf"


def main(words: Sequence[str] | None = None) -> int:
    """Write the files; the exit status is 2 after a mistake of the user's."""
    parser = argparse.ArgumentParser(prog="views", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--namespace", required=True, help="the robot's, robot1 say")
    parser.add_argument("--output", type=Path, default=Path("views"), help="folder; %(default)s")
    given = parser.parse_args(words)
    if not _NAMESPACE.fullmatch(given.namespace):
        print(
            f"error: --namespace {given.namespace!r}, allowed is a ROS namespace: robot1, fleet/r1",
            file=sys.stderr,
        )
        return _EXIT_USAGE
    namespace = given.namespace.strip("/")
    config = Path(get_package_share_directory("semantic_detection_pkg")) / "config"
    rviz = rviz_of(yaml.safe_load((config / RVIZ).read_text()), namespace)
    foxglove = foxglove_of(json.loads((config / FOXGLOVE).read_text()), namespace)
    try:
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / RVIZ).write_text(yaml.safe_dump(rviz, sort_keys=False))
        (given.output / FOXGLOVE).write_text(json.dumps(foxglove, indent=2) + "\n")
        shutil.copyfile(config / URDF, given.output / URDF)
    except OSError as error:
        print(f"error: --output {given.output}: {error.strerror}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"{given.output}: {RVIZ}, {FOXGLOVE} and {URDF} of {namespace}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
