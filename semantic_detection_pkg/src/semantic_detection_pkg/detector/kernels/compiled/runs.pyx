# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""Run lengths of polygons: sorted crossings of each line of pixels, nothing of the picture's size
but one number for each line."""

from libc.math cimport ceil, fmax, fmin
from libc.stdint cimport int32_t

import numpy as np


cdef inline Py_ssize_t centre_after(double position, Py_ssize_t end) noexcept nogil:
    """The first pixel of 0..end whose centre is not before `position`."""
    return <Py_ssize_t>fmin(fmax(ceil(position - 0.5), 0), end)


cdef void sort(int32_t* values, Py_ssize_t count) noexcept nogil:
    """Insertion sort: a line crosses an outline few times."""
    cdef Py_ssize_t i, k
    cdef int32_t value
    for i in range(1, count):
        value = values[i]
        k = i
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value


cdef void cross(
    const double[:, ::1] points, const Py_ssize_t[::1] sizes, Py_ssize_t width, Py_ssize_t height,
    Py_ssize_t* ends, int32_t* columns,
) noexcept nogil:
    """Crossings of the rings with the lines through pixel centres.

    Without `columns`: counts those of each line into `ends`. With: writes the first pixel right of
    each to columns[ends[line]] and moves that on.
    """
    cdef Py_ssize_t ring, i, following, line, first = 0, last
    cdef double x0, y0, x1, y1
    for ring in range(sizes.shape[0]):
        last = first + sizes[ring] - 1
        for i in range(first, last + 1):
            following = i + 1 if i < last else first
            x0, y0 = points[i, 0], points[i, 1]
            x1, y1 = points[following, 0], points[following, 1]
            # Half open, so that a line through a shared corner meets the two sides once.
            for line in range(
                centre_after(fmin(y0, y1), height), centre_after(fmax(y0, y1), height)
            ):
                if columns != NULL:
                    columns[ends[line]] = <int32_t>centre_after(
                        x0 + (line + 0.5 - y0) * (x1 - x0) / (y1 - y0), width
                    )
                ends[line] += 1
        first = last + 1


def outline_runs(
    const double[:, ::1] points, const Py_ssize_t[::1] sizes, Py_ssize_t width, Py_ssize_t height
):
    cdef Py_ssize_t[::1] ends = np.zeros(height + 1, np.intp)
    cdef Py_ssize_t line, i, total = 0, count, found = 0, first = 0
    cross(points, sizes, width, height, &ends[0], NULL)
    for line in range(height):
        count = ends[line]
        ends[line] = total
        total += count
    cdef int32_t[::1] columns = np.empty(max(total, 1), np.int32)
    cdef int32_t[:, ::1] runs = np.empty((total // 2 + 1, 3), np.int32)
    cross(points, sizes, width, height, &ends[0], &columns[0])
    for line in range(height):
        sort(&columns[first], ends[line] - first)
        for i in range(first, ends[line] - 1, 2):
            if columns[i] == columns[i + 1]:
                continue
            if i > first and found and runs[found - 1, 0] == line and runs[found - 1, 2] == columns[i]:
                runs[found - 1, 2] = columns[i + 1]
                continue
            runs[found, 0], runs[found, 1], runs[found, 2] = <int32_t>line, columns[i], columns[i + 1]
            found += 1
        first = ends[line]
    return np.array(runs[:found])
