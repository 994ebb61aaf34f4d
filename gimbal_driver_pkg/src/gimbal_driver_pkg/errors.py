"""What can go wrong, named for what the caller can do about it.

GimbalError
├── InvalidValueError   correct the value: a number out of range, NaN, a name that does not exist
├── UnsupportedError    ask for something else: this protocol or model has no such command
└── LinkError      check the cable, the address, who else uses the port; trying again may help

Every message is one line that names the thing, the value and what is allowed.
Bytes from outside never raise: parsers count what they cannot read and go on.
"""

from __future__ import annotations


class GimbalError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidValueError(GimbalError, ValueError):
    """An argument or setting that no gimbal can follow; nothing was sent."""


class UnsupportedError(GimbalError):
    """The protocol or the model has no such command; nothing was sent."""


class LinkError(GimbalError, OSError):
    """A device, port or address that cannot be opened, read or written."""
