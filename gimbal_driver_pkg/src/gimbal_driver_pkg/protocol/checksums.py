"""The checksums of the three wire formats, computed by compiled loops of the library or crcmod.

| function | used by | parameters | check over b"123456789" |
|---|---|---|---|
| crc16_xmodem | SIYI | poly 0x1021, init 0, not reflected | 0x31C3 |
| xor8 | Viewpro | poly x^8 + 1, init 0 | 0x31 |
| crc16_mcrf4xx | MAVLink | poly 0x1021, init 0xFFFF, reflected | 0x6F91 |
| sum8 | Viewpro over TCP | sum mod 256 | 0xDD |

XOR of all bytes is a CRC: modulo x^8 + 1 every byte is congruent to itself wherever it stands,
so crcmod's compiled loop serves here too.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

import crcmod

Checksum = Callable[[bytes], int]

crc16_xmodem = binascii.crc_hqx
"""Takes the bytes and 0, from which it goes on. Called for each frame, so nothing is around it."""
xor8: Checksum = crcmod.mkCrcFun(0x101, initCrc=0, rev=False, xorOut=0)
crc16_mcrf4xx: Checksum = crcmod.mkCrcFun(0x11021, initCrc=0xFFFF, rev=True, xorOut=0)


def sum8(data: bytes) -> int:
    """Sum of all bytes modulo 256."""
    return sum(data) & 0xFF
