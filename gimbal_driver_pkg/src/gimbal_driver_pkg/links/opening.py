"""Open the line to a gimbal that a URL names.

| URL | line |
|---|---|
| /dev/ttyUSB0 | serial device, 8N1, taken for ourselves alone |
| socket://host:port | TCP |
| udp://host:port | UDP |
| udpin://address:port | UDP, to who speaks to this address of ours |
"""

from __future__ import annotations

from gimbal_driver_pkg.links.link import Link, check_line
from gimbal_driver_pkg.links.serial_link import SerialLink
from gimbal_driver_pkg.links.udp_link import UdpLink
from gimbal_driver_pkg.links.udp_listening_link import SCHEME, UdpListeningLink


def open_link(url: str, baud: int = 115200) -> Link:
    """Open the line called `url`; `baud` is for a serial device.

    Raises:
        InvalidValueError: the URL or the baud rate cannot be right.
        LinkError: the line cannot be opened now.
    """
    check_line(url, baud)
    if url.startswith(SCHEME):
        return UdpListeningLink(url)
    if url.startswith("udp://"):
        return UdpLink(url)
    return SerialLink(url, baud)
