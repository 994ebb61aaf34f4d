"""`python tools/launch_tests FILE`: the folder runs as a program."""

import sys
from pathlib import Path

# Python puts the folder itself in front of the path; the package is found beside it.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from launch_tests.running import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
