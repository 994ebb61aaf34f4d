# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""A rendered picture, line by line: ground, what is painted on it, light, sprites, exposure."""

from libc.math cimport fabs
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

import numpy as np

cdef extern from "scene_loops.h" nogil:
    void divide_depths(double*, double, double, int)
    double FARTHEST
    void locate(int32_t*, const double*, double, double, int)
    void locate_near(int32_t*, const double*, double, double, int)
    void sample_bgr(uint32_t*, const uint8_t*, int32_t, int32_t, const int32_t*, const int32_t*, int)
    void sample_grey(uint8_t*, const uint8_t*, int32_t, int32_t, const int32_t*, const int32_t*, int)
    void sample_sprite(
        uint32_t*, const uint32_t*, int32_t, int32_t, const int32_t*, const int32_t*, int
    )
    void add_around_128(uint8_t*, const uint8_t*, long)
    void darken_line(uint8_t*, const uint8_t*, float, int)
    void multiply_levels(uint8_t*, const uint8_t*, int)
    void light_line(uint32_t*, const uint32_t*, const uint8_t*, int)
    void tint_line(uint32_t*, const uint8_t*, float, uint32_t, int)
    void blend_line(uint32_t*, const uint32_t*, int)
    void mark_line(uint16_t*, const uint32_t*, uint32_t, uint16_t, int)
    void tone_line(uint32_t*, float, float, float, int)
    void add_bytes(uint16_t*, const uint8_t*, int)
    void scale_sums(uint8_t*, const uint16_t*, float, int)
    void pack_line(uint8_t*, const uint32_t*, int)

cdef enum:
    CHUNK = 256  # pixels of a line that are located at once: their positions stay in the cache


cdef struct Places:
    double inverse[CHUNK]
    int32_t across[CHUNK]
    int32_t down[CHUNK]
    double first_depth, last_depth


cdef inline void find_depths(
    Places* places, const double* matrix, int x, int y, int count
) noexcept nogil:
    """Of pixels x.. of line y: matrix (9,) leads from pixels' indices to those of a texture."""
    places.first_depth = matrix[6] * x + (matrix[7] * y + matrix[8])
    places.last_depth = places.first_depth + matrix[6] * (count - 1)
    divide_depths(places.inverse, places.first_depth, matrix[6], count)


cdef inline void find_places(
    Places* places, const double* matrix, int x, int y, int count
) noexcept nogil:
    """Needs the depths; matrices that differ in the other rows only have the same."""
    find_coordinate(
        places.across, places, matrix[0] * x + (matrix[1] * y + matrix[2]), matrix[0], count
    )
    find_coordinate(
        places.down, places, matrix[3] * x + (matrix[4] * y + matrix[5]), matrix[3], count
    )


cdef inline void find_coordinate(
    int32_t* at, Places* places, double start, double step, int count
) noexcept nogil:
    # Without a horizon between them, what is between two pixels is between their places.
    cdef double near = FARTHEST / 64
    cdef double last = start + step * (count - 1)
    cdef bint is_near = (
        places.first_depth * places.last_depth > 0
        and fabs(start) < near * fabs(places.first_depth)
        and fabs(last) < near * fabs(places.last_depth)
    )
    if is_near:
        locate_near(at, places.inverse, start, step, count)
    else:
        locate(at, places.inverse, start, step, count)


cdef class Texture:
    """A square texture that repeats, with a line and a column more so that neighbours are there."""

    cdef uint8_t[::1] _bytes
    cdef int32_t _stride, _mask
    cdef readonly bint is_grey

    def __init__(self, image):
        cdef Py_ssize_t size = image.shape[0], channels = 1 if image.ndim == 2 else 3
        around = np.pad(image, ((0, 1), (0, 1)) + ((0, 0),) * (image.ndim - 2), mode="wrap")
        memory = np.zeros(around.size + 3, np.uint8)
        memory[: around.size] = around.reshape(-1)
        self._bytes = memory
        self._stride = <int32_t>((size + 1) * channels)
        self._mask = <int32_t>(size - 1)
        self.is_grey = channels == 1

    cdef inline void sample(self, uint8_t* levels, Places* places, int count) noexcept nogil:
        """Of a grey one."""
        sample_grey(
            levels, &self._bytes[0], self._stride, self._mask, places.across, places.down, count
        )


cdef class Scene:
    """See `kernels.scene.Scene`, which checks the arguments."""

    cdef int _width, _height
    cdef uint32_t[:, ::1] _ground  # with what is painted on it, without light
    cdef uint8_t[:, ::1] _grain
    cdef uint32_t[:, ::1] _view  # the picture in the making
    cdef uint32_t[::1] _line  # one of its lines, with `_margin` pixels on each side
    cdef uint16_t[::1] _sums

    def __init__(self, int width, int height):
        self._width, self._height = width, height
        self._ground = np.zeros((height, width), np.uint32)
        self._grain = np.zeros((height, width), np.uint8)
        self._view = np.zeros((height, width), np.uint32)

    def clear(self, uint32_t blue, uint32_t green, uint32_t red):
        np.asarray(self._ground)[:] = blue | green << 8 | red << 16
        np.asarray(self._grain)[:] = 128

    def draw_rows(
        self, int first, int last, Texture base, const double[:, ::1] matrix, grains, matrices
    ):
        """Each matrix leads from indices of a pixel of the whole picture to those of a texture.

        At most two grains; all matrices have the same last row.
        """
        cdef Places places
        cdef int x, y, count
        cdef Texture first_grain = grains[0] if len(grains) > 0 else None
        cdef Texture second_grain = grains[1] if len(grains) > 1 else None
        cdef const double[:, ::1] first_matrix = matrices[0] if len(grains) > 0 else None
        cdef const double[:, ::1] second_matrix = matrices[1] if len(grains) > 1 else None
        cdef int layers = len(grains)
        cdef uint8_t more[CHUNK]
        with nogil:
            for y in range(first, last):
                x = 0
                while x < self._width:
                    count = min(<int>CHUNK, self._width - x)
                    find_depths(&places, &matrix[0, 0], x, y, count)
                    find_places(&places, &matrix[0, 0], x, y, count)
                    sample_bgr(
                        &self._ground[y, x], &base._bytes[0], base._stride, base._mask,
                        places.across, places.down, count,
                    )
                    if layers > 0:
                        find_places(&places, &first_matrix[0, 0], x, y, count)
                        first_grain.sample(&self._grain[y, x], &places, count)
                    if layers > 1:
                        find_places(&places, &second_matrix[0, 0], x, y, count)
                        second_grain.sample(more, &places, count)
                        add_around_128(&self._grain[y, x], more, count)
                    x += count

    def tint_ground(
        self, const uint8_t[:, ::1] coverage, int x, int y, uint32_t colour, float share
    ):
        self._tint(self._ground, coverage, x, y, colour, share)

    def tint_view(
        self, const uint8_t[:, ::1] coverage, int x, int y, uint32_t colour, float share
    ):
        self._tint(self._view, coverage, x, y, colour, share)

    cdef void _tint(
        self, uint32_t[:, ::1] pixels, const uint8_t[:, ::1] coverage, int x, int y,
        uint32_t colour, float share,
    ):
        cdef int row
        with nogil:
            for row in range(coverage.shape[0]):
                tint_line(
                    &pixels[y + row, x], &coverage[row, 0], share, colour, <int>coverage.shape[1]
                )

    def light(self, const uint8_t[:, ::1] covered, int x, int y, float share, shadow):
        """`covered` (may be None): what darkens the ground; `shadow` (may be None): its light."""
        cdef uint8_t[::1] line = np.empty(self._width, np.uint8)
        cdef const uint8_t[:, ::1] gains = shadow
        cdef bint is_covered = covered is not None, is_shaded = shadow is not None
        cdef int row, rows = covered.shape[0] if is_covered else 0
        with nogil:
            for row in range(self._height):
                memcpy(&line[0], &self._grain[row, 0], self._width)
                if is_covered and y <= row < y + rows:
                    darken_line(&line[x], &covered[row - y, 0], share, <int>covered.shape[1])
                if is_shaded:
                    multiply_levels(&line[0], &gains[row, 0], self._width)
                light_line(&self._view[row, 0], &self._ground[row, 0], &line[0], self._width)

    def blend(
        self, const uint32_t[:, ::1] sprite, const double[:, ::1] matrix, int left, int top,
        int right, int bottom, uint16_t[:, ::1] ids, uint32_t threshold, uint16_t id,
    ):
        """`matrix` leads from indices of a pixel of the picture to those of the sprite."""
        cdef Places places
        cdef uint32_t over[CHUNK]
        cdef int x, y, count
        cdef int32_t width = <int32_t>(sprite.shape[1] - 4), height = <int32_t>(sprite.shape[0] - 4)
        cdef bint has_ids = ids is not None
        with nogil:
            for y in range(top, bottom):
                x = left
                while x < right:
                    count = min(<int>CHUNK, right - x)
                    find_depths(&places, &matrix[0, 0], x, y, count)
                    find_places(&places, &matrix[0, 0], x, y, count)
                    sample_sprite(
                        over, &sprite[0, 0], width, height, places.across, places.down, count
                    )
                    blend_line(&self._view[y, x], over, count)
                    if has_ids:
                        mark_line(&ids[y, x], over, threshold, id, count)
                    x += count

    def expose(
        self, const float[::1] gains, const int32_t[:, ::1] shifts, const uint8_t[:, :, ::1] noise,
        int noise_x, int noise_y, uint8_t[:, :, ::1] image,
    ):
        """`gains`, `noise` may be None; shifts: (k, 2) x, y of pictures whose mean is the blur."""
        cdef int y, margin = int(np.abs(shifts).max()) if shifts.shape[0] > 1 else 0
        cdef bint is_blurred = shifts.shape[0] > 1
        if is_blurred:
            self._line = np.empty(self._width + 2 * margin, np.uint32)
            self._sums = np.empty(4 * self._width, np.uint16)
        cdef uint32_t[::1] mean = np.empty(self._width, np.uint32)
        with nogil:
            if gains is not None:
                tone_line(
                    &self._view[0, 0], gains[0], gains[1], gains[2], self._width * self._height
                )
            for y in range(self._height):
                if is_blurred:
                    self._mean_line(&mean[0], y, shifts, margin)
                    pack_line(&image[y, 0, 0], &mean[0], self._width)
                else:
                    pack_line(&image[y, 0, 0], &self._view[y, 0], self._width)
                if noise is not None:
                    add_around_128(
                        &image[y, 0, 0], &noise[noise_y + y, noise_x, 0], 3 * self._width
                    )

    cdef void _mean_line(
        self, uint32_t* mean, int y, const int32_t[:, ::1] shifts, int margin
    ) noexcept nogil:
        """Line y of the mean of the shifted pictures; beyond their edges they go on as there."""
        cdef int index, i, row, width = self._width
        memset(&self._sums[0], 0, 4 * width * sizeof(uint16_t))
        for index in range(shifts.shape[0]):
            row = min(max(y + shifts[index, 1], 0), self._height - 1)
            memcpy(&self._line[margin], &self._view[row, 0], width * sizeof(uint32_t))
            for i in range(margin):
                self._line[i] = self._view[row, 0]
                self._line[margin + width + i] = self._view[row, width - 1]
            add_bytes(
                &self._sums[0], <const uint8_t*>&self._line[margin + shifts[index, 0]], 4 * width
            )
        scale_sums(<uint8_t*>mean, &self._sums[0], <float>(1.0 / shifts.shape[0]), 4 * width)
