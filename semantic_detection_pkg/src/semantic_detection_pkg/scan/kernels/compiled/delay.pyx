# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""The regression of bearings against turning rates; see the twin, of which this has the bits.

Sums over all samples are NumPy's, which adds in pairs; those of a group are in the order of the
samples, as in `numpy.bincount`.
"""

from libc.math cimport fabs, fmax, fmin, sqrt

import math

import numpy as np


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
