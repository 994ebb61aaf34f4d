#!/bin/sh
# Installs Debian's Chromium for the tests of the page, where that is possible without asking anybody.
# Without it those tests are skipped, and say so.
set -u
command -v chromium >/dev/null 2>&1 && exit 0
as_root=
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null && as_root="sudo -n"
    [ -n "$as_root" ] || {
        echo "no chromium: tests of the page will be skipped; install it with: sudo apt-get install chromium" >&2
        exit 0
    }
fi
# Ubuntu's package of that name is a snap, which does not run in a container.
. /etc/os-release
[ "$ID" = debian ] || {
    echo "no chromium: tests of the page will be skipped" >&2
    exit 0
}
log=$(mktemp)
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    echo "chromium could not be installed ($(tail -n 1 "$log")): tests of the page will be skipped" >&2
fi
rm -f "$log"
