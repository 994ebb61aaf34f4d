# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""A reduced picture, how far each of its colours is from those around it, and colours by table."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memset

import numpy as np

cdef extern from "proposal_loops.h" nogil:
    void add_line(uint16_t*, const uint8_t*, long)
    void round_means(uint8_t*, const int32_t*, const float*, long)
    void move_window(int32_t*, const uint8_t*, const uint8_t*, long)
    void residual_line(int16_t*, const uint8_t*, const int32_t*, long, const float*, long)
    int32_t sum_of(const int16_t*, long)
    int32_t sum_of_products(const int16_t*, const int16_t*, long)
    void distance_line(
        float*, const int16_t*, const int16_t*, const int16_t*, const float*, const float*, long
    )

cdef enum:
    CHUNK = 1024  # see `sum_of`


cdef void pack(
    uint8_t* packed, const uint8_t[:, :, :] image, Py_ssize_t y
) noexcept nogil:
    """A line of the picture as B, G, R, B, ... without gaps."""
    cdef Py_ssize_t x, channel
    for x in range(image.shape[1]):
        for channel in range(3):
            packed[3 * x + channel] = image[y, x, channel]


cdef void sum_blocks(
    int32_t* sums, const uint16_t* line, Py_ssize_t width, Py_ssize_t factor, Py_ssize_t count
) noexcept nogil:
    """Sums of `factor` pixels, the last of what is left: blue of all blocks, then green, then red."""
    cdef Py_ssize_t block, x, end, first = 0
    cdef int32_t blue, green, red
    for block in range(count):
        end = first + factor if first + factor < width else width
        blue = green = red = 0
        for x in range(first, end):
            blue += line[3 * x]
            green += line[3 * x + 1]
            red += line[3 * x + 2]
        sums[block], sums[count + block], sums[2 * count + block] = blue, green, red
        first = end


def reduce_blocks(const uint8_t[:, :, :] image, Py_ssize_t factor, uint8_t[:, :, ::1] planes):
    cdef Py_ssize_t width = image.shape[1], height = image.shape[0]
    cdef Py_ssize_t rows = planes.shape[1], columns = planes.shape[2]
    cdef Py_ssize_t row, y, end, block, channel, last = width - (columns - 1) * factor
    cdef bint is_packed = image.strides[2] == 1 and image.strides[1] == 3
    cdef uint16_t[::1] line = np.empty(3 * width, np.uint16)
    cdef int32_t[::1] sums = np.empty(3 * columns, np.int32)
    cdef float[::1] share = np.empty(columns, np.float32)
    cdef uint8_t[::1] packed = np.empty(1 if is_packed else 3 * width, np.uint8)
    with nogil:
        for row in range(rows):
            end = min((row + 1) * factor, height)
            memset(&line[0], 0, 3 * width * sizeof(uint16_t))
            for y in range(row * factor, end):
                if is_packed:
                    add_line(&line[0], &image[y, 0, 0], 3 * width)
                else:
                    pack(&packed[0], image, y)
                    add_line(&line[0], &packed[0], 3 * width)
            sum_blocks(&sums[0], &line[0], width, factor, columns)
            if row == 0 or row == rows - 1:
                for block in range(columns):
                    share[block] = <float>1.0 / <float>((end - row * factor) * factor)
                share[columns - 1] = <float>1.0 / <float>((end - row * factor) * last)
            for channel in range(3):
                round_means(&planes[channel, row, 0], &sums[channel * columns], &share[0], columns)


cdef inline Py_ssize_t covered(Py_ssize_t at, Py_ssize_t radius, Py_ssize_t length) noexcept nogil:
    """How many of at - radius .. at + radius lie in 0 .. length - 1."""
    return min(at + radius, length - 1) - max(at - radius, 0) + 1


def local_residuals(
    const uint8_t[:, :, ::1] planes, Py_ssize_t radius, int16_t[:, :, ::1] residuals
):
    cdef Py_ssize_t rows = planes.shape[1], columns = planes.shape[2], reach = 2 * radius + 1
    cdef Py_ssize_t channel, y, x, high = 0
    cdef int32_t total
    cdef uint8_t[::1] nothing = np.zeros(columns, np.uint8)
    cdef int32_t[::1] window = np.empty(columns, np.int32)
    cdef int32_t[::1] prefix = np.zeros(columns + reach, np.int32)
    cdef float[::1] share = np.empty(columns, np.float32)
    cdef const uint8_t* enters
    cdef const uint8_t* leaves
    with nogil:
        for channel in range(3):
            memset(&window[0], 0, columns * sizeof(int32_t))
            for y in range(min(radius, rows)):
                move_window(&window[0], &planes[channel, y, 0], &nothing[0], columns)
            for y in range(rows):
                enters = &planes[channel, y + radius, 0] if y + radius < rows else &nothing[0]
                leaves = &planes[channel, y - radius - 1, 0] if y > radius else &nothing[0]
                move_window(&window[0], enters, leaves, columns)
                # prefix[x + radius + 1]: sum of the columns up to x; the same beyond both ends.
                total = 0
                for x in range(columns):
                    total += window[x]
                    prefix[x + radius + 1] = total
                for x in range(columns + radius + 1, columns + reach):
                    prefix[x] = total
                if high != covered(y, radius, rows):
                    high = covered(y, radius, rows)
                    for x in range(columns):
                        share[x] = <float>1.0 / <float>(high * covered(x, radius, columns))
                residual_line(
                    &residuals[channel, y, 0], &planes[channel, y, 0], &prefix[0], reach,
                    &share[0], columns,
                )


def moments(const int16_t[:, :, ::1] residuals):
    cdef Py_ssize_t count = residuals.shape[1] * residuals.shape[2], at, size, i, k, place
    cdef const int16_t* first = &residuals[0, 0, 0]
    cdef const int16_t* one
    cdef int64_t[::1] sums = np.zeros(3, np.int64)
    cdef int64_t[::1] products = np.zeros(6, np.int64)
    with nogil:
        at = 0
        while at < count:
            size = min(count - at, <Py_ssize_t>CHUNK)
            place = 3
            for i in range(3):
                one = first + i * count + at
                sums[i] += sum_of(one, size)
                products[i] += sum_of_products(one, one, size)
                for k in range(i + 1, 3):
                    products[place] += sum_of_products(one, first + k * count + at, size)
                    place += 1
            at += size
    return np.asarray(sums), np.asarray(products)


def distances(
    const int16_t[:, :, ::1] residuals, const float[::1] means, const float[::1] weights,
    float[:, ::1] squared,
):
    with nogil:
        distance_line(
            &squared[0, 0], &residuals[0, 0, 0], &residuals[1, 0, 0], &residuals[2, 0, 0],
            &means[0], &weights[0], squared.shape[0] * squared.shape[1],
        )


def look_up(const uint8_t[:, :, ::1] planes, const uint16_t[::1] table, uint16_t[:, ::1] found):
    cdef Py_ssize_t i, count = found.shape[0] * found.shape[1]
    cdef const uint8_t* blue = &planes[0, 0, 0]
    cdef const uint8_t* green = &planes[1, 0, 0]
    cdef const uint8_t* red = &planes[2, 0, 0]
    cdef uint16_t* out = &found[0, 0]
    with nogil:
        for i in range(count):
            out[i] = table[(blue[i] >> 2) << 12 | (green[i] >> 2) << 6 | red[i] >> 2]
