"""The protocols that have a table, by name."""

from __future__ import annotations

from gimbal_driver_pkg.protocol.dialect import Dialect
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP

DIALECTS: dict[str, Dialect] = {"siyi": SIYI, "viewpro": VIEWPRO, "viewpro_tcp": VIEWPRO_TCP}
