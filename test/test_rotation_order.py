"""One order of rotation from the wire to the page: bearings, TF of the URDF, each protocol.

The references are other people's: ikpy's forward kinematics of config/gimbal.urdf, SciPy's
rotations, pymavlink's messages.
"""

from __future__ import annotations

import functools
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import playwright
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ikpy.chain import Chain
from numpy.typing import NDArray
from pymavlink.dialects.v20 import common as mav
from scipy.spatial.transform import Rotation

from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec
from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.viewpro.codec import ViewproCodec
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO
from gimbal_driver_pkg.ros.conversions import JOINTS
from semantic_detection_pkg.common.core.optics import CameraView, direction
from simulation_pkg.core.world.geometry import CameraPose, Lens, image_velocity

ROOT = Path(__file__).resolve().parent.parent
GEOMETRY = (
    ROOT / "semantic_detection_pkg/src/semantic_detection_pkg/dashboard/static/js/geometry.js"
)
WIDTH, HEIGHT = 1280, 720

yaws = st.floats(-3.1, 3.1)
pitches = st.floats(-1.5, 1.57)  # straight down is where gimbals look
rolls = st.floats(-0.7, 0.7)
pixels = st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT))


@functools.cache
def chain() -> Chain:
    """The URDF as ikpy reads it, from the base to the optical frame."""
    path = ROOT / "config" / "gimbal.urdf"
    mask = [False, True, True, True, False]
    return Chain.from_urdf_file(str(path), base_elements=["gimbal_base"], active_links_mask=mask)


def optical_axes(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """The optical frame's axes in the base frame, as columns: what TF says of these joints."""
    angles = dict(zip(JOINTS, (yaw, roll, pitch), strict=True))
    positions = [angles.get(link.name, 0.0) for link in chain().links]
    return np.asarray(chain().forward_kinematics(positions)[:3, :3])


def test_the_joints_are_those_of_the_urdf() -> None:
    assert tuple(link.name for link in chain().links if link.name in JOINTS) == JOINTS


@given(yaw=yaws, pitch=pitches, roll=rolls, point=pixels, hfov=st.floats(0.05, 1.3))
def test_bearings_agree_with_tf(
    yaw: float, pitch: float, roll: float, point: tuple[float, float], hfov: float
) -> None:
    view = CameraView(yaw, pitch, roll, hfov, WIDTH, HEIGHT)
    focal = WIDTH / 2.0 / math.tan(hfov / 2.0)
    ray = np.array([(point[0] - WIDTH / 2) / focal, (point[1] - HEIGHT / 2) / focal, 1.0])
    expected = optical_axes(yaw, pitch, roll) @ ray
    expected /= np.linalg.norm(expected)
    found = direction(*view.bearings_of([point])[0])
    assert found == pytest.approx(expected, abs=1e-6)


@given(yaw=yaws, pitch=pitches, roll=rolls)
def test_the_bearing_of_the_axis(yaw: float, pitch: float, roll: float) -> None:
    view = CameraView(yaw, pitch, roll, 1.0, WIDTH, HEIGHT)
    assert direction(*view.axis) == pytest.approx(optical_axes(yaw, pitch, roll)[:, 2], abs=1e-6)


@given(yaw=yaws, pitch=st.floats(-1.2, 1.2), roll=rolls, point=pixels)
def test_the_page_agrees_with_the_nodes(
    yaw: float, pitch: float, roll: float, point: tuple[float, float]
) -> None:
    """The page's own pinhole, run by Node; one process answers all examples."""
    view = CameraView(yaw, pitch, roll, 1.0, WIDTH, HEIGHT)
    asked = {"yaw_rad": yaw, "pitch_rad": pitch, "roll_rad": roll, "hfov_rad": 1.0}
    answer = page().ask(
        {**asked, "width": WIDTH, "height": HEIGHT}, point[0] / WIDTH - 0.5, point[1] / HEIGHT - 0.5
    )
    found = direction(answer["yaw_rad"], answer["pitch_rad"])
    assert found == pytest.approx(direction(*view.bearings_of([point])[0]), abs=1e-6)


def degrees(values: st.SearchStrategy[float], step_deg: float) -> st.SearchStrategy[float]:
    """Angles [deg] that the wire can tell."""
    return values.map(lambda angle: round(math.degrees(angle) / step_deg) * step_deg)


def frame_of(attitude: m.Event, base_axes: NDArray[np.float64]) -> None:
    """Check that the URDF with the driver's angles is turned as `base_axes` (columns x, y, z)."""
    assert isinstance(attitude, m.Attitude)
    axes = optical_axes(attitude.yaw_rad, attitude.pitch_rad, attitude.roll_rad)
    x, y, z = base_axes.T
    assert axes == pytest.approx(np.stack([-y, -z, x], axis=1), abs=1e-6)


@given(yaw=degrees(yaws, 0.1), pitch=degrees(pitches, 0.1), roll=degrees(rolls, 0.1))
def test_siyi_turns_yaw_roll_pitch(yaw: float, pitch: float, roll: float) -> None:
    fields = {"yaw_deg_wire": yaw, "pitch_deg_wire": -pitch, "roll_deg": roll}
    rates = dict.fromkeys(("yaw_rate_dps_wire", "pitch_rate_dps_wire", "roll_rate_dps"), 0.0)
    (attitude,) = SiyiCodec().feed(SIYI.write("attitude", {**fields, **rates}), 1.0)
    expected = Rotation.from_euler("ZXY", [yaw, roll, pitch], degrees=True)
    frame_of(attitude, expected.as_matrix())


@given(
    yaw=st.integers(-8000, 8000), pitch=st.integers(-4000, 4000), roll=degrees(rolls, 180.0 / 4095)
)
def test_viewpro_turns_yaw_pitch_roll(yaw: int, pitch: int, roll: float) -> None:
    sent = VIEWPRO.write("t1_f1_b1_d1", {"yaw_counts": yaw, "pitch_counts": pitch, "roll": roll})
    attitude = next(e for e in ViewproCodec().feed(sent, 1.0) if isinstance(e, m.Attitude))
    read = VIEWPRO.read(sent, Direction.FROM_GIMBAL)
    roll = read.fields["roll"] if abs(read.fields["roll"]) > 0.03 else 0.0  # the wire has no 0
    angles = [-yaw * 360 / 65536, pitch * 360 / 65536, roll]
    frame_of(attitude, Rotation.from_euler("ZYX", angles, degrees=True).as_matrix())


@given(yaw=yaws, pitch=pitches, roll=rolls)
def test_mavlink_tells_a_quaternion(yaw: float, pitch: float, roll: float) -> None:
    turn = Rotation.from_euler("ZXY", [yaw, roll, pitch])
    half = Rotation.from_euler("X", np.pi)  # between forward-left-up and MAVLink's FRD
    x, y, z, w = (half * turn * half.inv()).as_quat()
    message = mav.MAVLink_gimbal_device_attitude_status_message(
        0, 0, 1, 32, [w, x, y, z], 0.0, 0.0, 0.0, 0
    )
    sent = bytes(message.pack(mav.MAVLink(None, 1, 154)))
    attitude = MavlinkCodec().feed(sent, 1.0)[0]
    frame_of(attitude, turn.as_matrix())


@given(yaw=yaws, pitch=st.floats(-1.2, 1.2), roll=rolls, rates=st.tuples(rolls, rolls))
def test_what_moves_across_the_picture(
    yaw: float, pitch: float, roll: float, rates: tuple[float, float]
) -> None:
    """The rolling shutter of the simulated camera against a difference of TF."""
    lens, step_s = Lens(WIDTH, HEIGHT), 1e-6
    pose = CameraPose(yaw, pitch, roll, 1.0, yaw_rate_rad_s=rates[0], pitch_rate_rad_s=rates[1])
    ahead = optical_axes(yaw, pitch, roll)[:, 2]
    later = optical_axes(yaw + rates[0] * step_s, pitch + rates[1] * step_s, roll).T @ ahead
    expected = lens.focal_px(1.0) * later[:2] / later[2] / step_s
    assert image_velocity(lens, pose) == pytest.approx(expected, abs=1e-2)


@given(yaw=yaws, pitch=st.floats(-1.2, 1.2), roll=rolls, rates=st.tuples(rolls, rolls))
def test_how_the_bearing_of_a_pixel_moves(
    yaw: float, pitch: float, roll: float, rates: tuple[float, float]
) -> None:
    step_s, middle = 1e-6, [(WIDTH / 2, HEIGHT / 2)]
    now = CameraView(yaw, pitch, roll, 1.0, WIDTH, HEIGHT)
    then = CameraView(yaw + rates[0] * step_s, pitch + rates[1] * step_s, roll, 1.0, WIDTH, HEIGHT)
    moved = (then.bearings_of(middle)[0] - now.bearings_of(middle)[0] + math.pi) % math.tau
    expected = (moved - math.pi) / step_s
    assert now.bearing_rates(middle, *rates)[0] == pytest.approx(expected, abs=1e-4)


class Page:
    """The page's geometry in a Node process that answers one question a line."""

    def __init__(self, node: str) -> None:
        program = (
            f"import {{ bearingOf }} from {json.dumps(GEOMETRY.as_uri())};"
            "import { createInterface } from 'node:readline';"
            "for await (const line of createInterface({ input: process.stdin }))"
            " console.log(JSON.stringify(bearingOf(...JSON.parse(line))));"
        )
        command = [node, "--input-type=module", "-e", program]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, view: dict[str, float], right: float, down: float) -> dict[str, float]:
        """Return the page's bearing of a point of the picture."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([view, right, down]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def page() -> Page:
    """The one process of this module; it ends with its standard input."""
    return Page(str(Path(playwright.__file__).parent / "driver" / "node"))
