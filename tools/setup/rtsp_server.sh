#!/bin/sh
# Installs Debian's GStreamer RTSP server, and its OpenCV, which has GStreamer, for the tests of cameras that vanish,
# where that is possible without asking anybody. Without them those tests are skipped, and say so.
set -u
packages="python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly gstreamer1.0-tools python3-opencv"
/usr/bin/python3 -c 'import cv2
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert Gst.ElementFactory.find("x264enc")
assert cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER)' >/dev/null 2>&1 && exit 0
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
