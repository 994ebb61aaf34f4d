#!/usr/bin/env bash
# The kernels' tests with kernels built for AddressSanitizer and UndefinedBehaviourSanitizer, in a
# folder of their own: the workspace's build stays as it is. Needs `make setup` and GCC's libasan.
#   tools/asan_kernels.sh [more arguments for pytest]
set -euo pipefail
cd "$(dirname "$0")/.."

python="$PWD/.venv/bin/python"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
packages=(semantic_detection_pkg simulation_pkg)
for package in "${packages[@]}"; do
  mkdir "$copy/$package"
  cp -r "$package/setup.py" "$package/src" "$copy/$package"
done
find "$copy" \( -name '*.so' -o -name '*.c' \) -delete

export CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
for package in "${packages[@]}"; do
  (cd "$copy/$package" && "$python" setup.py --quiet build_ext --inplace --parallel 2)
done

# The interpreter itself is not built for it, so its leaks at exit are not ours to report.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export PYTHONPATH="$copy/semantic_detection_pkg/src:$copy/simulation_pkg/src:$PWD/ros_support_pkg/src"
"$python" - <<'PROGRAM'
import sys
from pathlib import Path

from semantic_detection_pkg.detector import kernels
from semantic_detection_pkg.scan import kernels as tracking
from simulation_pkg import kernels as drawing

for module in (
    kernels.implementation("masks"),
    tracking.implementation("tracking"),
    drawing.implementation("scene"),
):
    path = Path(module.__file__)
    if b"__asan_" not in path.read_bytes():
        sys.exit(f"asan_kernels: {path.name} was not built for AddressSanitizer")
PROGRAM
# ONNX Runtime does not load under it: the test with the detector is left out.
# What a sanitizer finds ends the process at once: with its output captured nothing would be seen.
"$python" -m pytest --capture=no -p no:cacheprovider \
  semantic_detection_pkg/test/detector/test_kernels_{letterbox,candidates,masks,versions}.py \
  semantic_detection_pkg/test/detector/test_{letterbox,masks,decode}.py \
  semantic_detection_pkg/test/scan/test_kernels_{maps,tracking}.py \
  simulation_pkg/test/test_scene_kernels.py --deselect \
  simulation_pkg/test/test_scene_kernels.py::test_the_demo_s_detector_finds_the_same_in_both "$@"
