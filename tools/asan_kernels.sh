#!/usr/bin/env bash
# The kernels' tests with kernels built for AddressSanitizer and UndefinedBehaviourSanitizer, in a
# folder of their own: the workspace's build stays as it is. Needs `make setup` and GCC's libasan.
#   tools/asan_kernels.sh [more arguments for pytest]
set -euo pipefail
cd "$(dirname "$0")/.."

python="$PWD/.venv/bin/python"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
cp -r semantic_detection_pkg/setup.py semantic_detection_pkg/src "$copy"
find "$copy" \( -name '*.so' -o -name '*.c' \) -delete

export CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
(cd "$copy" && "$python" setup.py --quiet build_ext --inplace --parallel 2)

# The interpreter itself is not built for it, so its leaks at exit are not ours to report.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export PYTHONPATH="$copy/src"
"$python" - <<'PROGRAM'
import sys
from pathlib import Path

from semantic_detection_pkg.detector.kernels import implementation

module = Path(implementation("masks").__file__)
if b"__asan_" not in module.read_bytes():
    sys.exit(f"asan_kernels: {module.name} was not built for AddressSanitizer")
PROGRAM
# What a sanitizer finds ends the process at once: with its output captured nothing would be seen.
"$python" -m pytest --capture=no -p no:cacheprovider \
  semantic_detection_pkg/test/test_kernels_{letterbox,candidates,masks,versions}.py \
  semantic_detection_pkg/test/test_{letterbox,masks,decode}.py "$@"
