# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""The regression of bearings against turning rates; see the twin, of which this has the bits.

Sums over all samples are NumPy's, which adds in pairs; those of a group are in the order of the
samples, as in `numpy.bincount`.
"""

from libc.math cimport fabs, fmax, fmin, hypot, sqrt

import math

import numpy as np


cdef double LEAST_DEPTH = 1e-6  # `optics._LEAST_DEPTH`


def turn(view, const double[:, ::1] boxes, double yaw_rate_rad_s, double pitch_rate_rad_s):
    cdef Py_ssize_t count = boxes.shape[0], i
    cdef const double[:, ::1] axes = view.rotation
    cdef double focal = view.pixels_per_rad, half_x = view.width / 2.0, half_y = view.height / 2.0
    cdef double spin = math.cos(view.roll_rad) * pitch_rate_rad_s
    cdef double axis_x = -math.sin(view.yaw_rad) * spin, axis_y = math.cos(view.yaw_rad) * spin
    cdef double axis_z = yaw_rate_rad_s + math.sin(view.roll_rad) * pitch_rate_rad_s
    rays, rates, bearings = np.empty((4, count)), np.empty((count, 2)), np.empty((count, 2))
    cdef double[:, ::1] at = rays, moves = rates
    cdef double right, down, x, y, z, dx, dy, dz, level, square
    for i in range(count):
        right = ((boxes[i, 0] + boxes[i, 2]) / 2.0 - half_x) / focal
        down = ((boxes[i, 1] + boxes[i, 3]) / 2.0 - half_y) / focal
        x = right * axes[0, 0] + down * axes[1, 0] + axes[2, 0]
        y = right * axes[0, 1] + down * axes[1, 1] + axes[2, 1]
        z = right * axes[0, 2] + down * axes[1, 2] + axes[2, 2]
        at[0, i], at[1, i], at[2, i], at[3, i] = x, y, -z, hypot(x, y)
        dx, dy, dz = axis_y * z - axis_z * y, axis_z * x - axis_x * z, axis_x * y - axis_y * x
        level = at[3, i] if at[3, i] > LEAST_DEPTH else LEAST_DEPTH
        square = level * level
        moves[i, 0] = (x * dy - y * dx) / square
        moves[i, 1] = (z * (x * dx + y * dy) / level - level * dz) / (square + z * z)
    bearings[:, 0], bearings[:, 1] = np.arctan2(rays[1], rays[0]), np.arctan2(rays[2], rays[3])
    return bearings, rates


cdef void put_in_place(double* values, Py_ssize_t count, Py_ssize_t place) noexcept nogil:
    """Move values until that at `place` is the one of the sorted order: no larger ones before it
    (C. A. R. Hoare, "Find", 1961)."""
    cdef Py_ssize_t low = 0, high = count - 1, i, j
    cdef double pivot, kept
    while low < high:
        pivot = values[place]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                kept = values[i]
                values[i] = values[j]
                values[j] = kept
                i += 1
                j -= 1
        if j < place:
            low = i
        if place < i:
            high = j


cdef double median(double* values, Py_ssize_t count) noexcept nogil:
    """The median of an even number of values, which are moved."""
    cdef Py_ssize_t half = count // 2, i
    cdef double below
    put_in_place(values, count, half)
    below = values[0]
    for i in range(1, half):
        below = fmax(below, values[i])
    return (below + values[half]) / 2.0


cdef class Course:
    """Straight lines over time, one for each group of equations."""

    cdef double[::1] weights, times, x, y
    cdef const Py_ssize_t[::1] groups
    cdef double[:, ::1] sums

    def __init__(self, groups, count, times):
        self.groups, self.times = groups, times
        self.x, self.y = np.empty(len(times)), np.empty(len(times))
        self.sums = np.empty((7, count))

    cdef void detrend(self, const double[::1] rates, const double[::1] bearings) noexcept nogil:
        """Write rates and bearings without the lines that fit them best to x and y."""
        cdef Py_ssize_t i, g
        cdef double w, late, off_x, off_y
        cdef double* total = &self.sums[0, 0]
        cdef double* time = &self.sums[1, 0]
        cdef double* mean_x = &self.sums[2, 0]
        cdef double* mean_y = &self.sums[3, 0]
        cdef double* spread = &self.sums[4, 0]
        cdef double* slope_x = &self.sums[5, 0]
        cdef double* slope_y = &self.sums[6, 0]
        self.sums[:, :] = 0.0
        for i in range(self.groups.shape[0]):
            g, w = self.groups[i], self.weights[i]
            total[g] += w
            time[g] += w * self.times[i]
            mean_x[g] += w * rates[i]
            mean_y[g] += w * bearings[i]
        for g in range(self.sums.shape[1]):
            time[g] /= total[g]
            mean_x[g] /= total[g]
            mean_y[g] /= total[g]
        for i in range(self.groups.shape[0]):
            g, w = self.groups[i], self.weights[i]
            late = self.times[i] - time[g]
            off_x, off_y = rates[i] - mean_x[g], bearings[i] - mean_y[g]
            spread[g] += w * late * late
            slope_x[g] += w * late * off_x
            slope_y[g] += w * late * off_y
            self.x[i], self.y[i] = off_x, off_y
        for g in range(self.sums.shape[1]):
            slope_x[g] /= fmax(spread[g], 1e-12)
            slope_y[g] /= fmax(spread[g], 1e-12)
        for i in range(self.groups.shape[0]):
            g = self.groups[i]
            late = self.times[i] - time[g]
            self.x[i] -= slope_x[g] * late
            self.y[i] -= slope_y[g] * late


def regress(
    groups, times, bearings, rates, own_weights, int frames, double huber, int iterations
):
    cdef Py_ssize_t count = 2 * len(times), segments = groups.max() + 1, i
    cdef Course course = Course(
        np.concatenate([groups, groups + segments]), 2 * segments, np.tile(times, 2)
    )
    cdef const double[::1] x_in = np.ascontiguousarray(rates).ravel()
    cdef const double[::1] y_in = np.ascontiguousarray(bearings).ravel()
    cdef double[::1] base = np.tile(own_weights, 2)
    cdef double[::1] weights = np.tile(own_weights, 2)
    cdef double[::1] scaled = np.empty(count), moved = np.empty(count)
    products = np.empty((2, count))
    cdef double[:, ::1] wx = products
    cdef double delay = math.nan, sigma = math.inf, information, spread
    course.weights = weights
    for _ in range(iterations):
        course.detrend(x_in, y_in)
        for i in range(count):
            wx[0, i] = weights[i] * course.x[i] * course.x[i]
            wx[1, i] = weights[i] * course.x[i] * course.y[i]
        information = float(products[0].sum())
        if information <= 1e-9:
            return math.nan, math.inf
        delay = -float(products[1].sum()) / information
        for i in range(count):
            scaled[i] = fabs(course.y[i] + delay * course.x[i]) * sqrt(base[i])
            moved[i] = scaled[i]
        spread = fmax(1.4826 * median(&moved[0], count), 0.3)
        for i in range(count):
            weights[i] = base[i] * fmin(1.0, huber * spread / fmax(scaled[i], 1e-12))
        sigma = spread * sqrt(<double>(count // 2) / frames / information)
    return delay, sigma
