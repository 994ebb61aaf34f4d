#!/bin/sh
# Tells by its exit status whether the OpenCV of a Python has GStreamer.
# usage: has_gstreamer.sh PYTHON
set -u
exec "$1" -c 'import cv2, re, sys
sys.exit(re.search(r"GStreamer: +YES", cv2.getBuildInformation()) is None)' 2>/dev/null
