"""Bags of rosbag2: rings of the recorder, and anybody's with pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.core.surroundings import (
    UNKNOWN_HFOV_RAD,
    Surroundings,
    Timeline,
)
from semantic_detection_pkg.archive.sources.source import RecordedShot, known_time_ns
from semantic_detection_pkg.common.core.serialised import stamp_of
from semantic_detection_pkg.common.kernels.crops import encode_jpeg
from semantic_detection_pkg.common.kernels.encodings import PixelLayout, to_bgr
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from semantic_detection_pkg.recorder.storage.bag_messages import (
    DETECTIONS,
    GIMBAL,
    JOURNAL,
    PICTURES,
    recording,
)
from semantic_detection_pkg.recorder.storage.bag_reader import (
    BagMessage,
    BagReader,
    Part,
    beginning_of,
)
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    BaseLost,
    Fix,
    FrameDetections,
    GimbalReading,
    kind_name,
)
from semantic_detection_pkg.scan.core.journal import RecordedStep, inputs_from_json
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain

KIND = "bag"
_COMPRESSED, _RAW = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"
_INFO, _NAVSAT = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/NavSatFix"
_OURS = {GIMBAL: "interfaces_pkg/msg/GimbalState", DETECTIONS: "interfaces_pkg/msg/Detections"}
_OURS |= {JOURNAL: "interfaces_pkg/msg/ScanJournal"}
_UNIT_NS = 5_000_000_000  # a worker that dies loses no more than this
_FIX_NEAR_NS = 2_000_000_000
_JPEG_QUALITY = 95
_READINGS_MAX = 10_000_000
#: In the journal's text: steps without any of these are not unpacked.
_TOLD = ("ScanSettings", "SettingsInForce", *map(kind_name, (Fix, BaseAttitude, BaseLost, Terrain)))


class BagSource:
    """See `RecordedSource`; scenes are topics."""

    def __init__(
        self, path: Path, topic: str = "", hfov_rad: float = 0.0, reach_m: float = math.nan
    ) -> None:
        """Open a bag.

        Args:
            topic: the one with the pictures; empty: all that have some.
            hfov_rad: of lenses that the bag does not tell; 0: unknown.
            reach_m: see `Surroundings`.

        Raises:
            ConfigurationError: it cannot be read, or holds no pictures.
        """
        self.label = f"bag {path}"
        self._path = path
        self._reader = BagReader(path)
        self._hfov_rad, self._reach_m = hfov_rad, reach_m
        try:
            self._topics = _topics_with_pictures(self._reader, topic)
        except ConfigurationError:
            self._reader.close()
            raise

    def close(self) -> None:
        """See `RecordedSource`."""
        self._reader.close()

    def units(self) -> Sequence[Unit]:
        """See `RecordedSource`; counted by the time of receiving [ns]."""
        spans = self._reader.file_spans()
        identities = [_identity(path) for path in self._reader.files()]
        found: list[Unit] = []
        for topic in self._topics:
            for file, (start_ns, end_ns) in enumerate(spans):
                count = self._count(topic, file)
                if not count or start_ns > end_ns:
                    continue
                # Where the clock was set a file may span decades: no more parts than pictures.
                parts = min(max(1, -(-(end_ns + 1 - start_ns) // _UNIT_NS)), count)
                edges = [start_ns + (end_ns + 1 - start_ns) * i // parts for i in range(parts + 1)]
                weight = max(1, round(count / parts))
                found += [
                    Unit(KIND, str(self._path), topic, file, first, after, identities[file], weight)
                    for first, after in zip(edges, edges[1:], strict=False)
                ]
        return found

    def shots(self, unit: Unit) -> Iterator[RecordedShot]:
        """See `RecordedSource`."""
        for message in self._messages(unit, unit.start, unit.stop):
            stamp_ns = known_time_ns(stamp_of(message.data), message.received_ns)
            try:
                image = _image(self._reader.read(message), f"of {unit.scene} at {stamp_ns} ns")
            except FrameError as error:
                yield RecordedShot(message.received_ns, stamp_ns, None, f"{self.label}: {error}")
            else:
                yield RecordedShot(message.received_ns, stamp_ns, image)

    def jpeg(self, unit: Unit, place: int, stamp_ns: int) -> bytes:
        """See `RecordedSource`."""
        for message in self._messages(unit, place, place + 1):
            if known_time_ns(stamp_of(message.data), message.received_ns) != stamp_ns:
                continue
            content = self._reader.read(message)
            if message.connection.msgtype == _COMPRESSED:
                return bytes(content.data)
            return encode_jpeg(_image(content, self.label), _JPEG_QUALITY)
        raise FrameError(f"{self.label}: the picture of {stamp_ns} ns is not there any more")

    def told_place(self, unit: Unit, place: int) -> str:
        """See `RecordedSource`."""
        return f"{self._path}, {unit.scene}, received at {place / 1e9:.3f} s"

    def surroundings(self, scene: str) -> Surroundings:
        """See `RecordedSource`."""
        robot = scene[: -len(PICTURES)] if scene.endswith(f"/{PICTURES}") else None
        types = {(c.topic, c.msgtype) for c in self._reader.connections}
        ours = [
            topic
            for topic, kind in _OURS.items()
            if robot is not None and (robot + topic, kind) in types
        ]
        if robot is not None and ours:
            return self._of_robot(robot, ours)
        hfov_rad = self._hfov_rad or self._told_hfov_rad(scene) or UNKNOWN_HFOV_RAD
        return Surroundings(hfov_rad=hfov_rad, fixes=self._fixes(), reach_m=self._reach_m)

    def _count(self, topic: str, file: int) -> int:
        one = self._reader.part(Part(beginning_of(file), beginning_of(file + 1)))
        return sum(count for (name, _), count in one.counts().items() if name == topic)

    def _messages(self, unit: Unit, start: int, stop: int) -> Iterator[BagMessage]:
        part = Part(beginning_of(unit.file), beginning_of(unit.file + 1))
        return self._reader.part(part).messages_of({unit.scene}, start, stop)

    def _of_robot(self, robot: str, topics: list[str]) -> Surroundings:
        """Read what the robot's own topics tell."""
        history: PoseHistory[Pose] = PoseHistory(_READINGS_MAX)
        poses: dict[int, Pose] = {}
        zoom_max, has_readings = 1.0, False
        told = _Told()
        for item in recording(self._reader, robot, topics):
            if isinstance(item, GimbalReading):
                if item.is_usable:
                    has_readings = True
                    history.add(item)
                    zoom_max = max(zoom_max, item.zoom_max if item.zoom_max < math.inf else 1.0)
            elif isinstance(item, FrameDetections):
                if item.pose is not None:
                    poses[item.stamp_ns] = item.pose
            elif isinstance(item, RecordedStep):
                told.add(item)
        return Surroundings(
            hfov_rad=self._hfov_rad or UNKNOWN_HFOV_RAD,
            poses=MappingProxyType(poses),
            history=history if has_readings else None,
            zoom_max=zoom_max,
            fixes=told.fixes,
            attitudes=told.attitudes,
            settings=told.settings,
            terrains=told.terrains,
        )

    def _told_hfov_rad(self, scene: str) -> float:
        """Return the field of view by the camera's calibration; 0: there is none."""
        folder = scene.removesuffix("/compressed").rpartition("/")[0]
        for connection in self._reader.connections:
            if connection.msgtype == _INFO and connection.topic == f"{folder}/camera_info":
                for message in self._reader.messages_of({connection.topic}):
                    content = self._reader.read(message)
                    matrix = getattr(content, "k", getattr(content, "K", (0.0,)))
                    focal_px, width = float(matrix[0]), int(content.width)
                    if focal_px > 0.0 and width > 0:
                        return 2.0 * math.atan(width / 2.0 / focal_px)
                    return 0.0
        return 0.0

    def _fixes(self) -> Timeline[Fix]:
        """Return where the camera was by the first topic that tells it."""
        fixes: Timeline[Fix] = Timeline(_FIX_NEAR_NS)
        names = sorted(c.topic for c in self._reader.connections if c.msgtype == _NAVSAT)
        for message in self._reader.messages_of(set(names[:1])):
            content = self._reader.read(message)
            place = float(content.latitude), float(content.longitude)
            if content.status.status < 0 or not all(map(math.isfinite, place)):
                continue
            is_told = content.position_covariance_type != 0
            variance = float(max(content.position_covariance[0], content.position_covariance[4]))
            sigma_m = math.sqrt(variance) if is_told and variance > 0.0 else 3.0
            altitude_m = float(content.altitude) if math.isfinite(content.altitude) else 0.0
            stamp_ns = known_time_ns(from_time(content.header.stamp), message.received_ns)
            fixes.add(stamp_ns, Fix(stamp_ns, place[0], place[1], altitude_m, sigma_m))
        return fixes


class _Told:
    """What the journal tells of the base and the settings."""

    def __init__(self) -> None:
        self.fixes: Timeline[Fix] = Timeline()
        self.attitudes: Timeline[BaseAttitude] = Timeline()
        self.settings: Timeline[ScanSettings] = Timeline()
        self.terrains: Timeline[Terrain] = Timeline()

    def add(self, step: RecordedStep) -> None:
        """Take the next step; what another version wrote, and nobody reads, says nothing."""
        if not any(f'"{name}"' in step.inputs for name in _TOLD):
            return
        try:
            inputs = inputs_from_json(step.inputs)
        except ValueError:
            return
        if inputs.in_force is not None:
            self.settings.add(step.now_ns, inputs.in_force)
        for item in inputs.others:
            if isinstance(item, Fix):
                self.fixes.add(step.now_ns, item)
            elif isinstance(item, BaseAttitude):
                self.attitudes.add(step.now_ns, item)
            elif isinstance(item, BaseLost):
                if item.what == "fix":
                    self.fixes.add(step.now_ns, None)
                else:
                    self.attitudes.add(step.now_ns, None)
            elif isinstance(item, Terrain):
                self.terrains.add(step.now_ns, item)


def _topics_with_pictures(reader: BagReader, wanted: str) -> list[str]:
    """Return the topics with pictures; of a raw and a compressed one of a camera the latter.

    Raises:
        ConfigurationError: there is none, or not the one that is wanted.
    """
    found = {c.topic: c for c in reader.connections if c.msgtype in (_COMPRESSED, _RAW)}
    filled = {name: c for name, c in found.items() if _has_pictures(c)}
    if wanted:
        if wanted not in filled:
            has = ", ".join(sorted(filled)) or "none"
            raise ConfigurationError(
                f"bag {reader.path} has no pictures on topic {wanted}; topics with pictures: {has}"
            )
        return [wanted]
    if not filled:
        has = ", ".join(sorted({c.topic for c in reader.connections})[:8])
        raise ConfigurationError(
            f"bag {reader.path} holds no pictures ({_RAW} or {_COMPRESSED}); it has {has}"
        )
    own = [name for name in filled if f"{name}/compressed" not in filled]
    return sorted(own)


def _has_pictures(connection: Connection) -> bool:
    name = connection.topic.rpartition("/")[2]
    return connection.msgcount > 0 and name != "compressedDepth"


def _image(content: Any, name: str) -> NDArray[np.uint8]:
    """Return the picture of a message, BGR; raises FrameError."""
    data = np.frombuffer(bytes(content.data), np.uint8)
    if not hasattr(content, "encoding"):
        return decode_picture(data, name)
    layout = PixelLayout(
        content.encoding,
        bool(content.is_bigendian),
        int(content.width),
        int(content.height),
        int(content.step),
    )
    return np.ascontiguousarray(to_bgr(data, layout))


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns}"
