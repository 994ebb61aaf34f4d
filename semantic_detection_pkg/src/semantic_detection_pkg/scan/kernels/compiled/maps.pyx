# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""What a picture adds to the maps of the area; see the twin, of which this has the bits: each cell
once, and only those that are shown."""

from libc.math cimport fabs
from libc.stdint cimport uint8_t, uint16_t

import math

import numpy as np


def shown_cells(
    view, yaw_rad, const double[:] cos_pitch, const double[:] sin_pitch, double edge_margin
):
    turn = yaw_rad - view.yaw_rad
    cdef const double[::1] cosines = np.cos(turn), sines = np.sin(turn)
    cdef Py_ssize_t rows = cos_pitch.shape[0], columns = cosines.shape[0], r, c
    rays, is_shown = np.empty((3, rows, columns)), np.empty((rows, columns), bool)
    cdef double[:, :, ::1] out = rays
    cdef uint8_t[:, ::1] shown = is_shown.view(np.uint8)
    cdef double roll = view.roll_rad, cos_roll = math.cos(roll), sin_roll = math.sin(roll)
    cdef double sin_view = math.sin(view.pitch_rad), cos_view = math.cos(view.pitch_rad)
    cdef double inside = (0.5 - edge_margin) / <double>view.pixels_per_rad
    cdef double half_x = view.width * inside, half_y = view.height * inside
    cdef double level, fall, drop, to_left, along, aside
    for r in range(rows):
        level, fall = cos_pitch[r], sin_pitch[r]
        for c in range(columns):
            drop, to_left, along = fall, level * sines[c], level * cosines[c]
            if roll:
                aside = to_left
                to_left = cos_roll * aside - sin_roll * fall
                drop = cos_roll * fall + sin_roll * aside
            out[0, r, c] = -to_left
            out[1, r, c] = cos_view * drop - sin_view * along
            out[2, r, c] = cos_view * along + sin_view * drop
            shown[r, c] = (
                fabs(to_left) <= half_x * out[2, r, c] and fabs(out[1, r, c]) <= half_y * out[2, r, c]
            )
    return (rays[0], rays[1], rays[2]), is_shown


def count_view(
    is_shown, double stamp_s, double pixels_per_rad, double[:, :] last_seen_s, float[:, :] finest,
    uint16_t[:, :] counts, uint8_t[:, :] results, is_wanted, int min_views, tuple results_changed,
):
    cdef const uint8_t[:, :] shown = is_shown.view(np.uint8), wanted = is_wanted.view(np.uint8)
    cdef Py_ssize_t r, c, reached = 0
    cdef float resolution = <float>pixels_per_rad
    cdef int before = results_changed[0], after = results_changed[1]
    for r in range(shown.shape[0]):
        for c in range(shown.shape[1]):
            if not shown[r, c]:
                continue
            last_seen_s[r, c] = stamp_s
            if finest[r, c] < resolution:
                finest[r, c] = resolution
            if counts[r, c] < min_views:
                counts[r, c] += 1
                if counts[r, c] >= min_views and wanted[r, c]:
                    reached += 1
            if results[r, c] == before:
                results[r, c] = after
    return reached


def count_looks(
    const float[:, :] gains, double stamp_s, double pixels_per_rad, float[:, :, :, :] parts,
    double[:, :] since_s, double[:, :] last_look_s, uint16_t[:, :] look_counts,
    float[:, :] finest, const Py_ssize_t[:, :, :] steps, const float[:, ::1] tables,
    const float[::1] known_gains, const Py_ssize_t[:, ::1] shifts, rules,
):
    cdef Py_ssize_t r, c, k, part, which, size, best = parts.shape[0] - 3
    cdef Py_ssize_t classes = parts.shape[1], entries = tables.shape[1]
    cdef int hits = rules.hits, counts_max = rules.counts_max
    cdef float within = rules.within, rest_looks = rules.rest_looks, sum_max = rules.sum_max
    cdef double group_s = rules.group_s
    cdef float resolution = <float>pixels_per_rad, gain, left, worse, group, rest, found
    cdef bint is_old
    for r in range(gains.shape[0]):
        for c in range(gains.shape[1]):
            gain = gains[r, c]
            if not gain > 0.0:
                continue
            is_old = stamp_s - since_s[r, c] > group_s
            if is_old:
                since_s[r, c] = stamp_s
            last_look_s[r, c] = stamp_s
            if look_counts[r, c] < counts_max:
                look_counts[r, c] += 1
            if finest[r, c] < gain * resolution:
                finest[r, c] = gain * resolution
            which = 0
            while which + 1 < known_gains.shape[0] and known_gains[which] != gain:
                which += 1
            for k in range(classes):
                if is_old:
                    found = parts[0, k, r, c]
                    for part in range(1, hits):
                        found = found + parts[part, k, r, c]
                    rest = parts[best, k, r, c] - found
                    rest = rest if rest > 0.0 else <float>0.0
                    found = rest_looks * parts[hits - 1, k, r, c]
                    rest = rest if rest < found else found
                    group = parts[hits - 1, k, r, c] + within * rest
                    found = parts[best + 2, k, r, c] + group
                    parts[best + 2, k, r, c] = found if found < sum_max else sum_max
                    if parts[best + 1, k, r, c] < group:
                        parts[best + 1, k, r, c] = group
                    for part in range(best + 1):
                        parts[part, k, r, c] = 0.0
                size = steps[k, r, c] + shifts[which, k]
                size = 0 if size < 0 else size
                left = tables[k, size if size < entries else entries - 1]
                found = parts[best, k, r, c] + left
                parts[best, k, r, c] = found if found < sum_max else sum_max
                for part in range(best):  # the new one takes its place, the others move down
                    worse = parts[part, k, r, c]
                    if worse < left:
                        parts[part, k, r, c] = left
                        left, worse = worse, left
                    # Else it stays, and the new one is compared with the next.
