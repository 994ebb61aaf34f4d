# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""Smoke and mist from their density, line by line."""

from libc.stdint cimport int32_t, uint8_t, uint32_t

cdef extern from "haze_loops.h" nogil:
    void thin_line(float*, const float*, const float*, float, long)
    void colour_line(uint32_t*, const float*, const float*, float, float, float, float, long)


def thin(
    const float[:, ::1] density, const float[:, ::1] factors, int first, float least,
    float[:, ::1] exponents,
):
    cdef Py_ssize_t y, rows = factors.shape[0], width = density.shape[1]
    with nogil:
        for y in range(density.shape[0]):
            thin_line(&exponents[y, 0], &density[y, 0], &factors[(first + y) % rows, 0], least, width)


def colour(
    const float[:, ::1] through, const float[:, ::1] relief, int first, float most,
    float blue, float green, float red, uint32_t[:, ::1] pixels,
):
    cdef Py_ssize_t y, rows = relief.shape[0], width = through.shape[1]
    with nogil:
        for y in range(through.shape[0]):
            colour_line(
                &pixels[y, 0], &through[y, 0], &relief[(first + y) % rows, 0], most, blue, green, red,
                width,
            )


def row_ends(const uint8_t[:, :] coverage, uint8_t threshold, int32_t[:, ::1] ends):
    cdef Py_ssize_t y, first, last, width = coverage.shape[1]
    with nogil:
        for y in range(coverage.shape[0]):
            first = 0
            while first < width and coverage[y, first] < threshold:
                first += 1
            last = width
            while last > first and coverage[y, last - 1] < threshold:
                last -= 1
            ends[y, 0], ends[y, 1] = <int32_t>first, <int32_t>last
