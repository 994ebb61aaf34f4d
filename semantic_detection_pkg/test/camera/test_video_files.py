"""Video files: turned, looped, uneven in time, changing in size, damaged. With each decoder."""

import itertools
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.camera.reader import LatestFrameReader
from semantic_detection_pkg.camera.sources import decoding, opencv_decoder
from semantic_detection_pkg.camera.sources.display_matrix import orientation_of
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.common.pictures import turned
from semantic_detection_pkg.errors import ConfigurationError

assert opencv_decoder  # FFmpeg reads how much it may say at its first use, here by a writer
_ONE = 1 << 16  # of a matrix's 16.16 numbers


def picture(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    """One grey, its upper left quarter white: so one sees how it was turned."""
    image = np.full((height, width, 3), value, np.uint8)
    image[: height // 2, : width // 2] = 255
    return image


def write_mp4(path: Path, frames: int = 4, hz: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), hz, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(20 * number))
    writer.release()
    return path


def change_box(path: Path, kind: bytes, offset: int, content: bytes) -> None:
    """Overwrite what stands so far behind a box's name."""
    data = bytearray(path.read_bytes())
    place = data.index(kind) + 4 + offset
    data[place : place + len(content)] = content
    path.write_bytes(data)


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack(">9i", a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30)


#: Where x and y go, and EXIF's number for it, as ffmpeg's and Apple's documents have them.
TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


@pytest.mark.parametrize(("numbers", "orientation"), TURNS.items())
def test_a_recording_is_turned_as_its_track_says(tmp_path, decoder, numbers, orientation):
    path = write_mp4(tmp_path / "v.mp4")
    change_box(path, b"tkhd", 40, matrix(*numbers))

    shot = open_camera(f"file:{path}").read()

    expected = turned(picture(0), orientation)
    assert shot.image.shape == expected.shape
    assert shot.image.flags.c_contiguous
    assert np.abs(shot.image.astype(int) - expected).mean() < 8


def test_the_matrix_of_the_movie_counts_too(tmp_path, decoder):
    path = write_mp4(tmp_path / "v.mp4")
    change_box(path, b"mvhd", 36, matrix(0, 1, -1, 0))
    change_box(path, b"tkhd", 40, matrix(0, 1, -1, 0))

    image = open_camera(f"file:{path}").read().image

    assert image.shape == (48, 64, 3)  # twice a quarter of a turn
    assert image[40, 60].mean() > 200


def test_a_matrix_is_read_out_of_files_only_that_have_one(tmp_path):
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(1).bytes(100_000))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(write_mp4(tmp_path / "v.mp4").read_bytes()[:-200])
    endless = tmp_path / "endless.mp4"
    endless.write_bytes(struct.pack(">I4s", 8, b"free") * 1000 + struct.pack(">I4s", 0, b"moov"))
    (tmp_path / "empty.mp4").write_bytes(b"")

    assert orientation_of(noise) is None
    assert orientation_of(cut) in (None, 1)
    assert orientation_of(endless) is None
    assert orientation_of(tmp_path / "empty.mp4") is None


def mjpeg(*sizes: tuple[int, int], frames: int = 3) -> bytes:
    """A stream of JPEGs, so many of each (width, height)."""
    return b"".join(
        cv2.imencode(".jpg", picture(90, *size))[1].tobytes()
        for size in sizes
        for _ in range(frames)
    )


def write_ts(path: Path, frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(20 * number))
    writer.release()
    return path


def write_mjpeg(path: Path, frames: int = 5) -> Path:
    path.write_bytes(mjpeg((64, 48), frames=frames))
    return path


@pytest.mark.parametrize(
    ("name", "write"), [("v.mp4", write_mp4), ("v.ts", write_ts), ("v.mjpeg", write_mjpeg)]
)
def test_each_container_begins_again_at_its_end(
    tmp_path, decoder, name: str, write: Callable[..., Path]
):
    path = write(tmp_path / name, frames=5)
    once = list(iter(open_camera(f"file:{path}").read, None))
    assert len(once) == 5

    source = open_camera(f"file:{path}?loop=1")
    shots = list(itertools.islice(iter(source.read, None), 17))

    assert len(shots) == 17
    for number, shot in enumerate(shots):
        assert np.array_equal(shot.image, once[number % 5].image)


def test_a_looped_file_that_is_gone_ends_with_the_reason(tmp_path, decoder):
    path = write_mjpeg(tmp_path / "v.mjpeg", frames=2)
    reader = LatestFrameReader(
        lambda: open_camera(f"file:{path}?loop=1&rate=max"), pause=lambda _: None
    )
    with reader:
        assert reader.next_frame(20.0) is not None
        path.unlink()
        while reader.next_frame(20.0) is not None:
            pass
        assert "there is no such file" in reader.status.last_error


def test_a_change_of_size_gives_frames_of_the_new_size(tmp_path):
    path = tmp_path / "v.mjpeg"
    sizes = [(64, 48), (128, 96), (48, 64), (128, 48), (64, 48)]
    path.write_bytes(mjpeg(*sizes))
    given: list[tuple[int, int]] = []

    def allocate(height: int, width: int) -> np.ndarray:
        given.append((height, width))
        return np.empty((height, width, 3), np.uint8)

    shots = list(iter(open_camera(f"file:{path}", allocate=allocate).read, None))

    assert [shot.image.shape[1::-1] for shot in shots] == [s for s in sizes for _ in range(3)]
    for shot in shots:
        height, width = shot.image.shape[:2]
        assert np.abs(shot.image.astype(int) - picture(90, width, height)).mean() < 4


def test_without_pyav_it_is_said_what_opencv_cannot(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(decoding, "has_av", lambda: False)
    decoding._say_what_opencv_cannot.cache_clear()
    for _ in range(2):
        open_camera(f"file:{write_mp4(tmp_path / 'v.mp4')}").close()

    (record,) = caplog.records
    assert "may go on with an old picture when a stream changes its size" in record.getMessage()


def set_durations(path: Path, durations: list[int]) -> None:
    """Give each frame its own duration, in units of the track: the box `stts` (8.6.1.2)."""
    data = path.read_bytes().replace(b"edts", b"free")  # else it ends where it did before
    place = data.index(b"stts")
    old_size = struct.unpack(">I", data[place - 4 : place])[0]
    table = struct.pack(">II", 0, len(durations))
    table += b"".join(struct.pack(">II", 1, one) for one in durations)
    new = struct.pack(">I", 8 + len(table)) + b"stts" + table
    grown = len(new) - old_size
    changed = bytearray(data[: place - 4] + new + data[place - 4 + old_size :])
    assert data.index(b"mdat") < data.index(b"moov")  # so no offset of a frame moves
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = data.index(kind) - 4
        (size,) = struct.unpack_from(">I", changed, at)
        struct.pack_into(">I", changed, at, size + grown)
    path.write_bytes(changed)


def test_frames_of_a_variable_rate_come_at_their_own_times(tmp_path, decoder):
    path = write_mp4(tmp_path / "v.mp4", frames=6)
    (scale,) = struct.unpack(">I", path.read_bytes().split(b"mdhd", 1)[1][12:16])
    seconds = [0.1, 0.5, 0.05, 2.0, 0.1, 0.1]
    set_durations(path, [round(one * scale) for one in seconds])
    source = open_camera(f"file:{path}")

    periods = []
    while source.read() is not None:
        periods.append(source.period_s)

    assert periods[:-1] == pytest.approx(seconds[:-1], abs=2e-3)
    assert 0.0 < periods[-1] < 2.0
    assert open_camera(f"file:{path}?rate=5").period_s == pytest.approx(0.2)
    assert open_camera(f"file:{path}?rate=max").period_s is None


def test_a_jump_in_time_is_passed_over(tmp_path, decoder):
    path = write_mp4(tmp_path / "v.mp4", frames=3)
    (scale,) = struct.unpack(">I", path.read_bytes().split(b"mdhd", 1)[1][12:16])
    set_durations(path, [scale // 10, 3600 * scale, scale // 10])
    source = open_camera(f"file:{path}")
    periods = [source.period_s for _ in iter(source.read, None)]

    assert len(periods) == 3
    assert max(periods) < 5.0


def test_a_video_without_a_frame_that_can_be_decoded_is_refused(tmp_path, decoder, capfd):
    path = write_mp4(tmp_path / "v.mp4")
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])

    with pytest.raises(ConfigurationError, match="the source ended without a frame"):
        open_camera(f"file:{path}")

    assert capfd.readouterr().err == ""


def test_videos_out_of_public_reports(cases, decoder):
    media = cases / "media"
    assert open_camera(f"file:{media / 'rot90.mp4'}").read().image.shape == (640, 854, 3)
    assert open_camera(f"file:{media / 'p.ts'}").read().image.shape == (854, 640, 3)
    for name in ("p.ts", "raw.264"):
        source = open_camera(f"file://{media / name}?loop=1")
        assert sum(1 for _ in itertools.islice(iter(source.read, None), 45)) == 45
        assert 0.0 < source.period_s <= 0.2
    with pytest.raises(ConfigurationError, match="the source ended without a frame"):
        open_camera(f"file:{media / 'trunc_fs.mp4'}")
