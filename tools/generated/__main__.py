"""`python tools/generated [--write]`: name the generated files that are out of date, or write."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from generated.files import FILES, ROOT


def main() -> int:
    is_writing = "--write" in sys.argv[1:]
    stale = 0
    for name, make in FILES.items():
        path = ROOT / name
        text = make()
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if is_writing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'wrote' if is_writing else 'out of date'}: {name}")
    return 0 if is_writing else min(stale, 1)


if __name__ == "__main__":
    sys.exit(main())
