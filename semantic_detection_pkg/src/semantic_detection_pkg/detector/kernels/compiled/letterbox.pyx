# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""Resize, pad, BGR to RGB, 0..255 to 0..1 and HWC to CHW in one pass over the picture."""

from libc.math cimport floor
from libc.stdint cimport int32_t, uint8_t, uint16_t

import numpy as np

cdef extern from "letterbox_loops.h" nogil:
    void sample_line(float*, float*, float*, const uint8_t*, const int32_t*, const float*, long)
    void sample_lines(
        float*, float*, float*, const uint8_t*, const uint8_t*, float, const int32_t*,
        const float*, long
    )
    void spread_line(float*, float*, float*, const uint8_t*, const int32_t*, const float*, long)
    void scale_line(float*, float*, float*, const uint8_t*, long)
    void mix_lines(float*, const float*, const float*, float, long)
    void to_half(uint16_t*, const float*, long)

ctypedef fused element:
    float
    uint16_t  # the bits of a float16


cdef struct Box:
    Py_ssize_t columns, lines  # of the tensor
    Py_ssize_t width, height, left, top  # of the picture within


cdef inline Py_ssize_t locate(
    Py_ssize_t index, Py_ssize_t source, Py_ssize_t count, float* share
) noexcept nogil:
    """The source pixel before the centre of output pixel `index`, and the share of the next one.

    As OpenCV's INTER_LINEAR: centres are at index + 1/2; beyond the outer ones nothing changes.
    """
    cdef double position = (index + 0.5) * source / count - 0.5
    if position <= 0 or position >= source - 1:
        share[0] = 0
        return 0 if position <= 0 else source - 1
    cdef Py_ssize_t before = <Py_ssize_t>floor(position)
    share[0] = <float>(position - before)
    return before


cdef inline void fill(element* line, Py_ssize_t count, element value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        line[i] = value


cdef class Letterboxer:
    """See `kernels.letterbox.Letterboxer`, which checks the arguments."""

    cdef Py_ssize_t _source_width, _width
    cdef int32_t[::1] _at  # byte offset of the left pixel that each output pixel samples
    cdef float[::1] _across  # share of its right neighbour
    cdef float[:, ::1] _line  # red, green, blue of one output line, on its way to float16
    # Two source lines spread to the output's width, and which ones: neighbouring output lines lie
    # between the same ones where the picture is hardly shrunk.
    cdef float[:, :, ::1] _spread
    cdef Py_ssize_t _spread_of[2]
    cdef uint8_t[:, ::1] _packed  # two source lines without gaps, of pictures that have some

    def write(self, const uint8_t[:, :, :] image, tensor, content_size, offset, padding):
        cdef Box box = Box(
            tensor.shape[2], tensor.shape[1], content_size[0], content_size[1], offset[0], offset[1]
        )
        cdef float[:, :, ::1] single
        cdef uint16_t[:, :, ::1] half
        cdef uint16_t half_padding
        self._prepare(image.shape[1], box.width)
        if tensor.dtype == np.float32:
            single = tensor
            if padding is not None:
                self._pad(&single[0, 0, 0], <float>padding, box)
            self._write(image, &single[0, 0, 0], box)
        else:
            half = tensor.view(np.uint16)
            if padding is not None:
                half_padding = np.float16(padding).view(np.uint16)
                self._pad(&half[0, 0, 0], half_padding, box)
            self._write(image, &half[0, 0, 0], box)

    cdef _prepare(self, Py_ssize_t source_width, Py_ssize_t width):
        """Sample positions and buffers for these widths."""
        cdef Py_ssize_t i, before
        if source_width == self._source_width and width == self._width:
            return
        self._at = np.empty(width, np.int32)
        self._across = np.empty(width, np.float32)
        self._line = np.empty((3, width), np.float32)
        self._spread = np.empty((2, 3, width), np.float32)
        # The loops read pairs: a line of one pixel is followed by a black one of share 0.
        self._packed = np.zeros((2, 3 * max(source_width, 2)), np.uint8)
        for i in range(width):
            before = locate(i, source_width, width, &self._across[i])
            if 0 < before == source_width - 1:
                before -= 1
                self._across[i] = 1
            self._at[i] = <int32_t>(3 * before)
        self._source_width, self._width = source_width, width

    cdef void _pad(self, element* tensor, element padding, Box box) noexcept:
        cdef Py_ssize_t y, channel, right = box.left + box.width, bottom = box.top + box.height
        cdef element* plane
        with nogil:
            for channel in range(3):
                plane = tensor + channel * box.lines * box.columns
                fill(plane, box.top * box.columns, padding)
                fill(plane + bottom * box.columns, (box.lines - bottom) * box.columns, padding)
                for y in range(box.top, bottom):
                    fill(plane + y * box.columns, box.left, padding)
                    fill(plane + y * box.columns + right, box.columns - right, padding)

    cdef void _write(self, const uint8_t[:, :, :] image, element* tensor, Box box) noexcept:
        cdef Py_ssize_t y, channel, plane = box.lines * box.columns
        cdef element* line
        self._spread_of[0] = self._spread_of[1] = -1
        with nogil:
            for y in range(box.height):
                line = tensor + (box.top + y) * box.columns + box.left
                if element is float:
                    self._sample(image, y, box.height, line, line + plane, line + 2 * plane)
                else:
                    self._sample(
                        image, y, box.height, &self._line[0, 0], &self._line[1, 0],
                        &self._line[2, 0],
                    )
                    for channel in range(3):
                        to_half(line + channel * plane, &self._line[channel, 0], box.width)

    cdef void _sample(
        self, const uint8_t[:, :, :] image, Py_ssize_t y, Py_ssize_t height,
        float* red, float* green, float* blue,
    ) noexcept nogil:
        """Output line `y` of `height` that show the whole picture."""
        cdef float down
        cdef Py_ssize_t before = locate(y, image.shape[0], height, &down)
        cdef const uint8_t* upper = self._source_line(image, before, 0)
        if down == 0 and self._width == self._source_width:
            scale_line(red, green, blue, upper, self._width)
            return
        if down == 0:
            sample_line(red, green, blue, upper, &self._at[0], &self._across[0], self._width)
            return
        # From 1.5 source lines for each output line on, hardly one would be met again.
        if 2 * image.shape[0] < 3 * height:
            self._spread_source(image, before)
            self._spread_source(image, before + 1)
            self._mix(red, before, down, 0)
            self._mix(green, before, down, 1)
            self._mix(blue, before, down, 2)
            return
        sample_lines(
            red, green, blue, upper, self._source_line(image, before + 1, 1), down,
            &self._at[0], &self._across[0], self._width,
        )

    cdef inline void _spread_source(self, const uint8_t[:, :, :] image, Py_ssize_t y) noexcept nogil:
        """See that source line `y` is spread; its neighbours are in the other place."""
        cdef Py_ssize_t place = y & 1
        if self._spread_of[place] == y:
            return
        spread_line(
            &self._spread[place, 0, 0], &self._spread[place, 1, 0], &self._spread[place, 2, 0],
            self._source_line(image, y, place), &self._at[0], &self._across[0], self._width,
        )
        self._spread_of[place] = y

    cdef inline void _mix(
        self, float* line, Py_ssize_t before, float down, Py_ssize_t channel
    ) noexcept nogil:
        """One channel of an output line between the source lines `before` and the next."""
        mix_lines(
            line, &self._spread[before & 1, channel, 0],
            &self._spread[(before + 1) & 1, channel, 0], down, self._width,
        )

    cdef const uint8_t* _source_line(
        self, const uint8_t[:, :, :] image, Py_ssize_t y, Py_ssize_t buffer
    ) noexcept nogil:
        """A line of the picture as B, G, R, B, ...: in place, or copied into one of two buffers."""
        cdef Py_ssize_t x, channel
        if image.strides[2] == 1 and image.strides[1] == 3 and image.shape[1] > 1:
            return &image[y, 0, 0]
        for x in range(image.shape[1]):
            for channel in range(3):
                self._packed[buffer, 3 * x + channel] = image[y, x, channel]
        return &self._packed[buffer, 0]
