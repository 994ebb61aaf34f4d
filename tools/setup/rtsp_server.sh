#!/bin/sh
# Installs Debian's GStreamer RTSP server for the tests of network cameras, where that is possible without asking
# anybody. Without it those tests are skipped, and say so.
set -u
packages="python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
/usr/bin/python3 -c 'import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert Gst.ElementFactory.find("x264enc")' >/dev/null 2>&1 && exit 0
as_root=
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null && as_root="sudo -n"
    [ -n "$as_root" ] || {
        echo "no RTSP server: tests of network cameras will be skipped; install it with: sudo apt-get install $packages" >&2
        exit 0
    }
fi
command -v apt-get >/dev/null 2>&1 || {
    echo "no RTSP server: tests of network cameras will be skipped" >&2
    exit 0
}
log=$(mktemp)
# shellcheck disable=SC2086 # names of packages
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1; then
    echo "the RTSP server could not be installed ($(tail -n 1 "$log")): tests of network cameras will be skipped" >&2
fi
rm -f "$log"
