"""Reads the terrain around the robot in a thread: a file may be large, the scan does not wait."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from queue import SimpleQueue

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.adapters.terrain_file import check_terrain, read_terrain
from semantic_detection_pkg.scan.core.base_place import distance_m
from semantic_detection_pkg.scan.core.inputs import Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain, TerrainSettings

_AGAIN_M = 500.0  # from where it was read last


class TerrainReader:
    """Keeps the terrain model of the place where the robot is.

    Attributes:
        notices: lines for the log that nobody has taken yet: why the ground is taken for level.
    """

    def __init__(
        self,
        settings: TerrainSettings,
        scan: ScanSettings,
        read: Callable[[TerrainSettings, float, float], Terrain] = read_terrain,
        check: Callable[[TerrainSettings], None] = check_terrain,
    ) -> None:
        """Look at the file, if there is to be one, so that a wrong one is named at the start."""
        self.notices: list[str] = []
        self._settings, self._scan = settings, scan
        self._read, self._check = read, check
        self._place: Fix | None = None
        self._told = ""
        self._made: SimpleQueue[Terrain | str] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if settings.terrain_file:
            self._start(None)

    @property
    def is_reading(self) -> bool:
        """Return whether the file is being looked at."""
        return self._thread is not None and self._thread.is_alive()

    def follow(self, fix: Fix | None) -> Terrain | None:
        """Return terrain that was read since the last call; have it read where the robot is now."""
        is_wanted = bool(self._settings.terrain_file) and not self.is_reading
        if is_wanted and fix is not None and self._is_new(fix):
            self._place = fix
            self._start(fix)
        made: Terrain | None = None
        while not self._made.empty():
            item = self._made.get()
            if isinstance(item, str):
                self._tell(f"{item}; the ground is taken for level")
            else:
                made = item
                self._tell(self._why_unused(item, self._place))
        return made

    def _is_new(self, fix: Fix) -> bool:
        return self._place is None or distance_m(self._place, fix) > _AGAIN_M

    def _start(self, fix: Fix | None) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(fix,), name="terrain reader", daemon=True
        )
        self._thread.start()

    def _run(self, fix: Fix | None) -> None:
        try:
            if fix is None:
                self._check(self._settings)
            else:
                self._made.put(self._read(self._settings, fix.latitude_deg, fix.longitude_deg))
        except ConfigurationError as error:
            self._made.put(str(error))

    def _why_unused(self, terrain: Terrain, fix: Fix | None) -> str:
        """Return why the camera's height above this terrain is not known; empty: it is."""
        scan, name = self._scan, f"terrain_file '{self._settings.terrain_file}'"
        if not math.isnan(scan.pod.camera_height_m):
            return ""
        if not math.isnan(terrain.zero_m) and fix is not None:
            ground_m = terrain.zero_m + terrain.height_at((0.0, 0.0))
            if fix.altitude_m > ground_m:
                return ""
            return (
                f"{name}: the robot's fix at {fix.altitude_m:.1f} m is not above the ground at "
                f"{ground_m:.1f} m above the ellipsoid: give camera_height_m, or mend "
                "geoid_height_m; it is not used"
            )
        if not math.isnan(scan.ground_height_m):
            return ""
        return (
            f"{name}: it does not say that its heights count from the ellipsoid: give "
            "camera_height_m, ground_height_m or geoid_height_m; distances are assumed"
        )

    def _tell(self, line: str) -> None:
        if line != self._told:
            self._told = line
            if line:
                self.notices.append(line)
