"""What can be looked through: each picture in one unit and none twice, with its time and place."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import archive_things as things
import av
import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from rosbags.rosbag2 import StoragePlugin

from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path, open_unit
from semantic_detection_pkg.archive.sources.picture_facts import read_facts
from semantic_detection_pkg.archive.sources.source import RecordedShot
from semantic_detection_pkg.camera.sources import decoding
from semantic_detection_pkg.common.core.position import Place, Position, locate
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank

NOTHING_TOLD = SourceOptions()


def shots_of(path: Path, options: SourceOptions = NOTHING_TOLD) -> list[RecordedShot]:
    """All pictures by units, each unit opened anew and the last one first, as workers might."""
    units = open_path(path, options).units()
    found = {}
    for number in reversed(range(len(units))):
        source = open_unit(units[number])
        found[number] = list(source.shots(units[number]))
        source.close()
    return [shot for number in range(len(units)) for shot in found[number]]


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("kind", [things.COMPRESSED, things.RAW])
def test_a_bag_of_others(tmp_path: Path, plugin: StoragePlugin, kind: str) -> None:
    path = things.write_bag(tmp_path / "bag", topics=[("/front/image", kind)], plugin=plugin)
    source = open_path(path, NOTHING_TOLD)
    units = source.units()
    assert len(units) == 4  # 20 s
    assert sum(unit.weight for unit in units) == 80
    shots = shots_of(path)
    assert [shot.stamp_ns for shot in shots] == [things.stamp_of(number) for number in range(80)]
    for number, shot in enumerate(shots):
        assert np.array_equal(shot.image, things.picture(number))
    unit = units[1]
    place = list(source.shots(unit))[3]
    data = np.frombuffer(source.jpeg(unit, place.place, place.stamp_ns), np.uint8)
    assert np.abs(decode_picture(data, "it").astype(int) - place.image).mean() < 3
    with pytest.raises(FrameError, match="is not there any more"):
        source.jpeg(unit, place.place, place.stamp_ns + 1)


def test_a_file_alone_and_topics(tmp_path: Path) -> None:
    """Of a raw and a compressed topic of one camera one is looked at; others each for itself."""
    topics = [
        ("/front/image_raw", things.RAW),
        ("/front/image_raw/compressed", things.COMPRESSED),
        ("/rear/image_raw", things.RAW),
        ("/depth/image/compressedDepth", things.COMPRESSED),
    ]
    path = things.write_bag(tmp_path / "bag", 8, topics=topics)
    (alone,) = path.glob("*.mcap")
    shutil.copy(alone, tmp_path / "alone.mcap")
    for one in (path, tmp_path / "alone.mcap"):
        scenes = [unit.scene for unit in open_path(one, NOTHING_TOLD).units()]
        assert scenes == ["/front/image_raw/compressed", "/rear/image_raw"]
    chosen = open_path(path, SourceOptions(topic="/front/image_raw")).units()
    assert {unit.scene for unit in chosen} == {"/front/image_raw"}
    with pytest.raises(ConfigurationError, match="no pictures on topic /left; topics with"):
        open_path(path, SourceOptions(topic="/left"))


@pytest.mark.parametrize("year_ns", [-50 * 365 * 86400 * NS_PER_S, 3 * 365 * 86400 * NS_PER_S])
def test_a_clock_that_was_set_makes_no_endless_list_of_units(tmp_path: Path, year_ns: int) -> None:
    received = [things.stamp_of(number) + (year_ns if number < 40 else 0) for number in range(80)]
    path = things.write_bag(tmp_path / "bag", received=received)
    units = open_path(path, NOTHING_TOLD).units()
    assert len(units) <= 80
    shots = shots_of(path)
    assert sorted(shot.stamp_ns for shot in shots) == [things.stamp_of(n) for n in range(80)]


def test_pictures_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    bad = blank(things.COMPRESSED, format="png", data=np.zeros(9, np.uint8))
    name = "/front/image_raw/compressed"
    path = things.write_bag(tmp_path / "bag", 4, others=[(name, things.stamp_of(4), bad)])
    shots = shots_of(path)
    assert [shot.image is None for shot in shots] == [False] * 4 + [True]
    assert "cannot be decoded" in shots[-1].problem
    assert "\n" not in shots[-1].problem


def navsat(latitude_deg: float, covariance: float, status: int = 0) -> object:
    return blank(
        "sensor_msgs/msg/NavSatFix",
        header=things._header(START_NS),
        status=blank("sensor_msgs/msg/NavSatStatus", status=status, service=1),
        latitude=latitude_deg,
        longitude=8.5,
        altitude=400.0,
        position_covariance=np.array([covariance, 0, 0, 0, covariance, 0, 0, 0, 9.0]),
        position_covariance_type=2,
    )


def test_what_a_bag_of_others_tells_of_its_place_and_lens(tmp_path: Path) -> None:
    matrix = np.array([500.0, 0, 500, 0, 500, 250, 0, 0, 1])
    calibration = blank("sensor_msgs/msg/CameraInfo", width=1000, height=500, k=matrix)
    others = [
        ("/front/camera_info", START_NS, calibration),
        ("/gps/fix", START_NS, navsat(47.0, 16.0)),
        ("/gps/lost", START_NS, navsat(47.5, 16.0, status=-1)),
    ]
    topics = [("/front/image_raw", things.RAW)]
    path = things.write_bag(tmp_path / "bag", 4, topics=topics, others=others)
    around = open_path(path, SourceOptions(reach_m=30.0)).surroundings("/front/image_raw")
    assert around.hfov_rad == pytest.approx(math.pi / 2)
    assert not around.has_bearings
    fix = around.fixes.at(START_NS + NS_PER_S)
    assert fix is not None
    assert (fix.latitude_deg, fix.longitude_deg, fix.sigma_horizontal_m) == (47.0, 8.5, 4.0)
    assert around.fixes.at(START_NS + 3 * NS_PER_S) is None  # too long ago


# ------------------------------------------------------------------------- videos


def write_video(path: Path, frames: int, codec: str, gop: int = 7, begun: str = "") -> Path:
    """A video with key frames here and there and, where the codec has them, B frames."""
    with av.open(str(path), "w") as container:
        if begun:
            container.metadata["creation_time"] = begun
        stream = container.add_stream(codec, rate=4)
        stream.width = stream.height = things.SIDE_PX
        stream.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
        stream.codec_context.gop_size = gop
        stream.time_base = Fraction(1, 1000)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(things.picture(number), format="bgr24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = 250 * number + (60 if number % 3 == 1 else 0)  # uneven
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mjpeg"),
     ("a.h264", "libx264"), ("a.webm", "libvpx")],
)  # fmt: skip
def test_a_video_in_parts_is_the_video(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 90, codec)
    decoder = decoding.open_decoder(str(path), "it")
    whole = []
    while decoder.advance():
        whole.append(decoder.picture(None))
    decoder.close()
    shots = shots_of(path)
    assert len(shots) == len(whole) >= 89
    for shot, image in zip(shots, whole, strict=True):
        assert np.array_equal(shot.image, image)
    stamps = [shot.stamp_ns for shot in shots]
    assert stamps == sorted(set(stamps))
    source = open_path(path, NOTHING_TOLD)
    units = source.units()
    if name != "a.h264":  # it has no times
        assert len(units) > 3
    data = np.frombuffer(source.jpeg(units[-1], shots[-2].place, 0), np.uint8)
    assert np.abs(decode_picture(data, "it").astype(int) - whole[-2]).mean() < 3


def test_a_video_knows_when_it_was_begun(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 8, "libx264", begun="2026-11-23T20:15:00.000000Z")
    unit = open_path(path, NOTHING_TOLD).units()[0]
    assert unit.origin_ns == 1795464900 * NS_PER_S
    assert abs(shots_of(path)[0].stamp_ns - unit.origin_ns) < NS_PER_S


def test_a_video_without_pyav_is_one_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", 40, "libx264")
    many = [shot.image for shot in shots_of(path)]
    monkeypatch.setattr(decoding, "has_av", lambda: False)
    assert len(open_path(path, NOTHING_TOLD).units()) == 1
    assert len(shots_of(path)) == len(many)


# ------------------------------------------------------------------------- pictures


def with_exif(path: Path, fill: Callable[[Image.Exif], object], xmp: bytes = b"") -> Path:
    image = Image.fromarray(things.picture(0)[:, :, ::-1])
    exif = Image.Exif()
    fill(exif)
    image.save(path, exif=exif, **({"xmp": xmp} if xmp else {}))
    return path


def at_place(exif: Image.Exif, south: bool = False) -> None:
    def degrees(*parts: float) -> tuple[IFDRational, ...]:
        return tuple(IFDRational(round(1e6 * part), 1_000_000) for part in parts)

    gps = exif.get_ifd(0x8825)
    gps |= {1: "S" if south else "N", 2: degrees(47, 22, 13.4), 3: "W" if south else "E"}
    gps |= {4: degrees(8, 32, 27.42), 5: b"\x00", 6: IFDRational(4521, 10)}
    exif[0x8825] = gps
    exif[0x8769] = {0x9003: "2026:11:23 20:15:00", 0x9291: "25", 0x9011: "+01:00", 0xA405: 24}


def test_when_and_where_a_picture_was_taken(tmp_path: Path) -> None:
    facts = read_facts(with_exif(tmp_path / "a.jpg", at_place))
    assert facts.stamp_ns == 1795461300 * NS_PER_S + NS_PER_S // 4
    assert facts.hfov_rad == pytest.approx(2 * math.atan(0.75))
    assert facts.fix is not None
    assert facts.fix.latitude_deg == pytest.approx(47 + 22 / 60 + 13.4 / 3600, abs=1e-9)
    assert facts.fix.longitude_deg == pytest.approx(8 + 32 / 60 + 27.42 / 3600, abs=1e-9)
    assert facts.fix.altitude_m == pytest.approx(452.1)
    assert facts.pose is None
    south = read_facts(with_exif(tmp_path / "b.jpg", lambda exif: at_place(exif, south=True)))
    assert south.fix is not None
    assert south.fix.latitude_deg < 0 > south.fix.longitude_deg


def drone_xmp(yaw_deg: float, pitch_deg: float, height_m: float) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description '
        b'drone-dji:AbsoluteAltitude="+452.10" drone-dji:RelativeAltitude="%+.2f" '
        b'drone-dji:GimbalRollDegree="+0.00" drone-dji:GimbalYawDegree="%+.2f" '
        b'drone-dji:GimbalPitchDegree="%+.2f"/></x:xmpmeta>' % (height_m, yaw_deg, pitch_deg)
    )


@pytest.mark.parametrize(
    ("yaw_deg", "north_m", "east_m"), [(0, 100, 0), (90, 0, 100), (-90, 0, -100), (180, -100, 0)]
)
def test_a_drone_tells_where_its_camera_looks(
    tmp_path: Path, yaw_deg: float, north_m: float, east_m: float
) -> None:
    """45 degrees down from 100 m: what is in the middle stands 100 m ahead."""
    path = with_exif(tmp_path / "a.jpg", at_place, drone_xmp(yaw_deg, -45.0, 100.0))
    facts = read_facts(path)
    assert facts.pose is not None
    assert facts.fix is not None
    assert facts.attitude is not None
    assert facts.ground_m == pytest.approx(352.1)
    place = Place(
        facts.fix.latitude_deg,
        facts.fix.longitude_deg,
        facts.fix.altitude_m,
        facts.attitude.quaternion_xyzw,
    )
    found = locate(place, facts.pose.yaw_rad, facts.pose.pitch_rad, facts.ground_m)
    assert isinstance(found, Position)
    assert (found.latitude_deg - place.latitude_deg) * 111_200 == pytest.approx(north_m, abs=1)
    east = (found.longitude_deg - place.longitude_deg) * 111_320 * math.cos(math.radians(47.37))
    assert east == pytest.approx(east_m, abs=1)


@pytest.mark.parametrize(
    "fill",
    [
        lambda exif: exif.clear(),
        lambda exif: exif.__setitem__(0x8825, {2: (1.0, 2.0), 4: (3.0, 4.0, 5.0)}),
        lambda exif: exif.__setitem__(0x8825, {2: (91.0, 0.0, 0.0), 4: (3.0, 4.0, 5.0)}),
        lambda exif: exif.__setitem__(0x8769, {0x9003: "yesterday"}),
        lambda exif: exif.__setitem__(0x8825, {29: "2026:99:99", 7: (1, 2, 3)}),
    ],
)
def test_a_picture_that_tells_nothing_has_the_time_of_its_file(
    tmp_path: Path, fill: Callable[[Image.Exif], object]
) -> None:
    path = with_exif(tmp_path / "a.jpg", fill)
    facts = read_facts(path)
    assert (facts.fix, facts.pose, facts.hfov_rad) == (None, None, 0.0)
    assert facts.stamp_ns == path.stat().st_mtime_ns
    (tmp_path / "b.jpg").write_bytes(path.read_bytes()[:60])
    assert read_facts(tmp_path / "b.jpg").fix is None


@pytest.mark.parametrize(
    "place",
    [
        ((999.0, 0.0, 0.0), (8.0, 0.0, 0.0)),
        ((47.0, 999.0, 0.0), (8.0, 0.0, 0.0)),
        ((47.0, 0.0, 0.0), (8.0, 0.0, 3601.0)),
        ((IFDRational(1, 0), 0.0, 0.0), (8.0, 0.0, 0.0)),
        ((47.0, 0.0, 0.0), (IFDRational(0, 0), 0.0, 0.0)),
    ],
)
def test_a_place_that_is_none_is_not_taken(tmp_path: Path, place: tuple[Any, Any]) -> None:
    gps = {1: "N", 2: place[0], 3: "E", 4: place[1]}
    path = with_exif(tmp_path / "a.jpg", lambda exif: exif.__setitem__(0x8825, gps))
    assert read_facts(path).fix is None


@pytest.mark.parametrize("told", ["9999:12:31 23:59:59", "2300:01:01 00:00:00", "1900:01:01 0:0:0"])
def test_a_time_that_no_message_can_have_is_that_of_the_file(tmp_path: Path, told: str) -> None:
    def fill(exif: Image.Exif) -> None:
        exif[0x8769] = {0x9003: told}
        exif[0x8825] = {29: told[:10], 7: (1.0, 2.0, 3.0)}

    path = with_exif(tmp_path / "a.jpg", fill)
    assert read_facts(path).stamp_ns == path.stat().st_mtime_ns
    os.utime(path, ns=(-1, -NS_PER_S))
    assert read_facts(path).stamp_ns == 1
    os.utime(path, ns=(1, 1 << 62))
    assert read_facts(path).stamp_ns == 1


def test_a_video_that_was_begun_at_the_end_of_time_has_the_time_of_its_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 3, "mpeg4", begun="9999-12-31T23:59:59")
    first = shots_of(path)[0]
    assert abs(first.stamp_ns - path.stat().st_mtime_ns) < NS_PER_S


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = things.write_pictures(tmp_path / "photos", 20)
    (folder / "13.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("on the north face")
    shots = shots_of(folder)
    assert [shot.image is None for shot in shots] == [number == 13 for number in range(20)]
    assert len({shot.stamp_ns for shot in shots}) == 20
    for number in (0, 2, 19):  # in the order that people number them
        assert np.array_equal(shots[number].image, things.picture(number))
    source = open_path(folder, NOTHING_TOLD)
    unit = source.units()[0]
    cv2.imwrite(str(folder / "0.png"), things.picture(1))
    with pytest.raises(ConfigurationError, match="has changed meanwhile"):
        list(source.shots(unit))


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path, "there is nothing of this name"),
        (lambda path: path.mkdir() or path, "holds nothing that can be looked through: a bag of"),
        (lambda path: path.write_text("x") and path, "is a file; a folder with"),
        (lambda path: os.mkfifo(path) or path, "is neither a file nor a folder"),
        (lambda _: Path(os.devnull), "is neither a file nor a folder"),
        (
            lambda path: things.write_bag(path, 0, topics=[], others=[("/gps", 1, navsat(1, 1))]),
            "holds no pictures (sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage); it has",
        ),
        (lambda path: path.with_suffix(".mp4").write_text("x") and path.with_suffix(".mp4"),
         "is not a video that can be read"),
        (lambda path: path.with_suffix(".mcap").write_text("x") and path.with_suffix(".mcap"),
         "is it cut off or damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_through_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        open_path(make(tmp_path / "it"), NOTHING_TOLD)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
