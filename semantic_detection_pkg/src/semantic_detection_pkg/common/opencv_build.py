"""What the OpenCV that is installed was built with."""

from __future__ import annotations

import re

import cv2


def has_gstreamer() -> bool:
    """Return whether OpenCV can open GStreamer's pipelines.

    `getBackends` lists what could be a plug-in, whether that is there or not; `hasBackend` looks,
    and is newer than Ubuntu 22.04's OpenCV (4.5.4), whose word on its build then counts.
    """
    has_backend = getattr(cv2.videoio_registry, "hasBackend", None)
    if has_backend is not None:
        return bool(has_backend(cv2.CAP_GSTREAMER))
    return re.search(r"GStreamer: +YES", cv2.getBuildInformation()) is not None
