"""Recordings for tests of the archive: coloured things in bags, videos and folders of others.

The model of `tiny_models` sees a colour in each eighth of a picture; a thing fills one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tiny_models
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from semantic_detection_pkg.archive.core.question import Question
from semantic_detection_pkg.archive.workers.looking import model_sha256
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank, time_of, typestore

SIDE_PX = 128  # of a picture: an eighth is 16 px
CELL_PX = SIDE_PX // 8
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}
COLOURS |= {"magenta": (255, 0, 255)}  # that no model has a word for
COMPRESSED, RAW = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"


@dataclass(frozen=True)
class Spot:
    """A thing of one colour in a cell, seen from a frame on and before another."""

    colour: str
    column: int
    row: int
    first: int = 0
    stop: int = 1 << 30


SPOTS = (Spot("green", 2, 3), Spot("blue", 5, 5, 20, 60), Spot("red", 6, 1, 40))


def picture(number: int, spots: Sequence[Spot] = SPOTS) -> NDArray[np.uint8]:
    """The picture of a number; a corner tells the number, darker than anything that is seen."""
    image = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    image[-8:, -8:] = number % 32
    for spot in spots:
        if spot.first <= number < spot.stop:
            x, y = CELL_PX * spot.column, CELL_PX * spot.row
            image[y : y + CELL_PX, x : x + CELL_PX] = COLOURS[spot.colour]
    return image


def model_file(folder: Path) -> Path:
    return tiny_models.save(tiny_models.colour_model("raw"), folder / "colours.onnx")


def question(model: Path, words: Sequence[str] = tiny_models.COLOURS, **more: object) -> Question:
    return Question(str(model), model_sha256(str(model)), tuple(words), **more)


def stamp_of(number: int, period_ns: int = NS_PER_S // 4) -> int:
    return START_NS + number * period_ns


def _header(stamp_ns: int) -> object:
    return typestore().types["std_msgs/msg/Header"](stamp=time_of(stamp_ns), frame_id="lens")


def picture_message(kind: str, stamp_ns: int, image: NDArray[np.uint8]) -> object:
    if kind == COMPRESSED:
        png = cv2.imencode(".png", image)[1].reshape(-1)
        return blank(kind, header=_header(stamp_ns), format="png", data=png)
    height, width = image.shape[:2]
    return blank(
        kind,
        header=_header(stamp_ns),
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=0,
        step=3 * width,
        data=image.reshape(-1),
    )


def write_bag(
    path: Path,
    frames: int = 80,
    *,
    topics: Sequence[tuple[str, str]] = (("/front/image_raw/compressed", COMPRESSED),),
    plugin: StoragePlugin = StoragePlugin.MCAP,
    spots: Sequence[Spot] = SPOTS,
    received: Sequence[int] | None = None,
    others: Iterator[tuple[str, int, object]] | Sequence[tuple[str, int, object]] = (),
) -> Path:
    """A bag of somebody else's, as the `rosbags` library writes it.

    Args:
        received: times of receiving [ns]; left out: the stamps.
        others: topic, time and content of more messages.
    """
    store = typestore()
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {
            name: writer.add_connection(name, kind, typestore=store) for name, kind in topics
        }
        for number in range(frames):
            stamp_ns = stamp_of(number)
            at_ns = stamp_ns if received is None else received[number]
            for name, kind in topics:
                content = picture_message(kind, stamp_ns, picture(number, spots))
                writer.write(connections[name], at_ns, store.serialize_cdr(content, kind))
        for name, at_ns, content in others:
            kind = content.__msgtype__  # type: ignore[attr-defined]
            if name not in connections:
                connections[name] = writer.add_connection(name, kind, typestore=store)
            writer.write(connections[name], at_ns, store.serialize_cdr(content, kind))
    return path


def write_pictures(folder: Path, count: int = 10, spots: Sequence[Spot] = SPOTS) -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), picture(number, spots))
    return folder
