"""The state of a scan as rviz2 markers, on a sphere around the gimbal's base."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np
from geometry_msgs.msg import Point, Vector3
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ros_support_pkg.core.words import CellResult, FindingState, TrackState
from semantic_detection_pkg.common.core import palette
from semantic_detection_pkg.common.core.optics import CameraView, direction
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.pod_map import PodMap

_RADIUS_M = 10.0
_MAP_RADIUS_M = 10.2  # behind everything else
_OLD_S = 60.0  # cells fade until then
_POD_OPACITY = 0.4
_CELLS_MAX = 20_000  # more are too many to draw once a second
_AGE_STEPS = 64  # of the fading
_Colour = tuple[float, float, float, float]
_TRACK_OPACITIES = {TrackState.TENTATIVE: 0.6, TrackState.CONFIRMED: 0.9, TrackState.LOST: 0.35}
_REJECTED_OPACITY = 0.7
#: Of each map, points of its cells and which of them are made.
_made_points: WeakKeyDictionary[CoverageMap, tuple[NDArray[np.object_], NDArray[np.bool_]]]
_made_points = WeakKeyDictionary()


def scan_markers(header: Header, now_s: float, controller: ScanController) -> MarkerArray:
    """Return markers of coverage, POD of each class, area, field of view, tracks and findings.

    The POD of a class is in a namespace of its own, `pod/person`, to be switched on and off.
    """
    # Each array is complete: markers that it does not name are removed.
    markers = [Marker(action=Marker.DELETEALL)]
    if controller.coverage is not None:
        markers.append(_coverage(header, controller.coverage, now_s))
    if controller.coverage is not None and controller.pod is not None:
        for number, name in enumerate(controller.pod.class_names):
            markers.append(_pod(header, number, name, controller.coverage, controller.pod))
    if controller.goal is not None:
        points = _area_points(controller.goal.area)
        markers.append(_lines(header, "area", points, (1.0, 1.0, 1.0, 0.8)))
    if controller.view is not None:
        points = _view_points(controller.view)
        markers.append(_lines(header, "view", points, (0.2, 0.9, 0.9, 0.9)))
    for track in controller.tracks:
        size = max(track.width_rad, track.height_rad)
        bearing = (track.yaw_rad, track.pitch_rad)
        colour = _with_opacity(palette.TRACK_COLOURS[track.state], _TRACK_OPACITIES[track.state])
        markers.append(_ball(header, "tracks", track.id, bearing, size, colour))
    for number, finding in enumerate(controller.findings):
        bearing = (finding.yaw_rad, finding.pitch_rad)
        opacity = _REJECTED_OPACITY if finding.state is FindingState.REJECTED else 1.0
        colour = _with_opacity(palette.FINDING_COLOURS[finding.state], opacity)
        markers.append(_ball(header, "findings", number, bearing, 0.02, colour))
        text = f"{finding.class_name} {finding.score:.2f}"
        markers.append(_text(header, "findings/names", number, bearing, text, colour))
    return MarkerArray(markers=markers)


def _coverage(header: Header, coverage: CoverageMap, now_s: float) -> Marker:
    """Return the seen cells of the map: colour by result, fainter with age."""
    rows, columns = np.nonzero(coverage.is_wanted & (coverage.results != CellResult.UNSEEN))
    rows, columns = rows[:_CELLS_MAX], columns[:_CELLS_MAX]
    marker = _cells(header, "coverage", 0, coverage, rows, columns)
    freshness = np.exp(-np.maximum(coverage.ages_s(now_s)[rows, columns], 0.0) / _OLD_S)
    steps = np.round(_AGE_STEPS * freshness).astype(np.intp)
    marker.colors = _cell_colours()[coverage.results[rows, columns], steps].tolist()
    return marker


@cache
def _cell_colours() -> NDArray[np.object_]:
    """Return the colours of cells by result and freshness: (results, _AGE_STEPS + 1).

    Messages share them, as they share points: thousands, made anew each second, would be half of
    what the node does.
    """
    table = np.empty((max(CellResult) + 1, _AGE_STEPS + 1), object)
    for result, colour in palette.CELL_COLOURS.items():
        for step in range(_AGE_STEPS + 1):
            alpha = 0.15 + 0.35 * step / _AGE_STEPS
            table[result, step] = _colour(_with_opacity(colour, alpha))
    return table


def _pod(header: Header, number: int, name: str, coverage: CoverageMap, pod: PodMap) -> Marker:
    """Return the looked at cells of the area by the POD of a class: red is little, blue much."""
    rows, columns = np.nonzero(coverage.is_wanted & (pod.look_counts > 0))
    rows, columns = rows[:_CELLS_MAX], columns[:_CELLS_MAX]
    marker = _cells(header, f"pod/{name}", number, coverage, rows, columns)
    steps = palette.pod_steps(pod.pod(name)[rows, columns])
    marker.colors = _pod_colours()[steps].tolist()
    return marker


@cache
def _pod_colours() -> NDArray[np.object_]:
    colours = [_colour(_with_opacity(one, _POD_OPACITY)) for one in palette.POD_COLOURS]
    return np.array(colours, object)


def _cells(
    header: Header,
    name: str,
    number: int,
    coverage: CoverageMap,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> Marker:
    """Return cells as points, without their colours.

    A point and its colour have 40 bytes, two triangles would have 240: a whole area with five
    classes is recorded once a second.
    """
    marker = _marker(header, name, number, Marker.POINTS, (1.0, 1.0, 1.0, 1.0))
    side_m = 0.92 * coverage.cell_rad * _MAP_RADIUS_M  # a gap shows the grid
    marker.scale = Vector3(x=side_m, y=side_m)
    marker.points = _points_of(coverage, rows, columns)
    return marker


def _points_of(
    coverage: CoverageMap, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> list[Point]:
    """Return the points of cells; those of one map are made once."""
    made = _made_points.get(coverage)
    if made is None:
        shape = (len(coverage.pitch_rad), len(coverage.yaw_rad))
        made = _made_points[coverage] = (np.empty(shape, object), np.zeros(shape, np.bool_))
    points, is_made = made
    is_new = ~is_made[rows, columns]
    if is_new.any():
        new_rows, new_columns = rows[is_new], columns[is_new]
        places = _on_sphere(coverage.yaw_rad[new_columns], coverage.pitch_rad[new_rows])
        for row, column, (x, y, z) in zip(new_rows, new_columns, places.tolist(), strict=True):
            points[row, column] = Point(x=x, y=y, z=z)
        is_made[new_rows, new_columns] = True
    listed: list[Point] = points[rows, columns].tolist()
    return listed


def _with_opacity(colour: int, opacity: float) -> _Colour:
    red, green, blue = palette.rgb(colour)
    return red / 255.0, green / 255.0, blue / 255.0, opacity


def _on_sphere(yaw: NDArray[np.float64], pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    level = np.cos(pitch)
    vectors = [level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)]
    return np.asarray(_MAP_RADIUS_M * np.stack(vectors, axis=1))


def _area_points(area: Area) -> list[Point]:
    if area.bearings:
        return [_point(one) for one in area.bearings]
    yaws = np.linspace(area.yaw_min_rad, area.yaw_max_rad, 24).tolist()
    along = [(yaw, area.pitch_min_rad) for yaw in yaws]
    back = [(yaw, area.pitch_max_rad) for yaw in reversed(yaws)]
    return [_point(one) for one in (*along, *back, along[0])]


def _view_points(view: CameraView) -> list[Point]:
    width, height = float(view.width), float(view.height)
    corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height), (0.0, 0.0)]
    return [_point((yaw, pitch)) for yaw, pitch in view.bearings_of(corners).tolist()]


def _point(bearing: Sequence[float]) -> Point:
    x, y, z = (_RADIUS_M * direction(bearing[0], bearing[1])).tolist()
    return Point(x=x, y=y, z=z)


def _marker(header: Header, name: str, number: int, kind: int, colour: _Colour) -> Marker:
    marker = Marker(header=header, ns=name, id=number, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.color = _colour(colour)
    return marker


def _colour(colour: _Colour) -> ColorRGBA:
    red, green, blue, alpha = colour
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def _lines(header: Header, name: str, points: list[Point], colour: _Colour) -> Marker:
    marker = _marker(header, name, 0, Marker.LINE_STRIP, colour)
    marker.scale = Vector3(x=0.03)
    marker.points = points
    return marker


def _ball(
    header: Header,
    name: str,
    number: int,
    bearing: tuple[float, float],
    size_rad: float,
    colour: _Colour,
) -> Marker:
    marker = _marker(header, name, number, Marker.SPHERE, colour)
    side_m = max(0.1, _RADIUS_M * size_rad)
    marker.scale = Vector3(x=side_m, y=side_m, z=side_m)
    marker.pose.position = _point(bearing)
    return marker


def _text(
    header: Header,
    name: str,
    number: int,
    bearing: tuple[float, float],
    text: str,
    colour: _Colour,
) -> Marker:
    marker = _marker(header, name, number, Marker.TEXT_VIEW_FACING, colour)
    marker.scale = Vector3(z=0.3)
    marker.pose.position = _point(bearing)
    marker.pose.position.z += 0.4
    marker.text = text
    return marker
