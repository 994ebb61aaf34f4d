# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""Outlines of masks, found on the grid of the prototypes instead of the picture's pixels.

Between four neighbouring prototypes the mask's sum is bilinear: it is zero along one piece of a
hyperbola for each pair of sides that this crosses, and nowhere in a cell whose corners all have the
same sign. So the outline is walked from cell to cell; where it crosses a side its place is exact,
and within a cell points are added until straight lines follow the curve. The box's edges are lines
of the grid, too; around them lies a frame without width where the sum is minus its size, so that
outlines which leave the box run along its edge.
"""

from libc.math cimport ceil, fabs, fmax, fmin, sqrt
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memset

import numpy as np

cdef extern from "mask_loops.h" nogil:
    void add_weighted(float*, const float*, const float*, float, long, long, long, long)

cdef extern from "outline.h" nogil:
    struct point:
        float x, y
    double ring_area(const point*, long)
    long simplify_ring(point*, long, double, int32_t*, uint8_t*)

cdef enum:
    MOST_HALVINGS = 4  # of the curve within one cell
    POINTS_PER_CELL = 32  # two pieces of 2 ** MOST_HALVINGS each
    EAST = 0
    SOUTH = 1
    WEST = 2
    NORTH = 3

cdef float LARGE = 1e30  # stands for infinity, so that a weight of zero hides it
# A mask is simplified by at most this share of the square root of its box's area [px].
cdef double SMALL_MASK_SHARE = 0.005
cdef double FINEST_PX = 0.02
# Smaller rings hold no pixel's centre, or hardly any [px^2].
cdef double LEAST_AREA_PX = 0.5


cdef struct Axis:
    double gain, offset, low, high  # see kernels.masks.SampleAxis


cdef struct Place:
    double x, y  # within a cell, 0..1


cdef struct Cell:
    float corners[4]  # the sum; clockwise from the top left
    double left, top, width, height  # [px]


cdef inline double sample_at(Axis axis, double position_px) noexcept nogil:
    return fmin(fmax(axis.gain * position_px + axis.offset, axis.low), axis.high)


cdef Py_ssize_t place_lines(
    Axis axis, double first_px, double last_px, float* places, float* samples
) noexcept nogil:
    """Grid lines of one axis within a box: its edges, each twice, and what lies between.

    That is all prototypes, and the kinks: beyond `low`..`high` of an axis nothing changes.
    """
    cdef double first = sample_at(axis, first_px), last = sample_at(axis, last_px)
    cdef double low_px = (axis.low - axis.offset) / axis.gain
    cdef double high_px = (axis.high - axis.offset) / axis.gain
    cdef Py_ssize_t count = 2, number = <Py_ssize_t>first + 1
    places[0] = places[1] = <float>first_px
    samples[0] = samples[1] = <float>first
    if first_px < low_px < last_px:
        places[count], samples[count] = <float>low_px, <float>axis.low
        count += 1
    while number < last:
        places[count], samples[count] = <float>((number - axis.offset) / axis.gain), <float>number
        count += 1
        number += 1
    if first_px < high_px < last_px:
        places[count], samples[count] = <float>high_px, <float>axis.high
        count += 1
    places[count] = places[count + 1] = <float>last_px
    samples[count] = samples[count + 1] = <float>last
    return count + 2


cdef inline float limited(float value) noexcept nogil:
    """Finite; what is no number counts as not positive."""
    if value >= LARGE:
        return LARGE
    return value if value >= -LARGE else -LARGE


cdef inline float mix(float first, float second, float share) noexcept nogil:
    return first + (second - first) * share


cdef inline bint is_connected(const float* corners, int heading) noexcept nogil:
    """Whether a cell's two positive corners, that lie across, are joined: by its saddle's sign.

    The one at the right hand of who enters is positive, and the one ahead at the left.
    """
    cdef double positive = <double>corners[(heading + 3) & 3] * corners[(heading + 1) & 3]
    return positive > <double>corners[heading] * corners[(heading + 2) & 3]


cdef inline int turn(const float* corners, int heading) noexcept nogil:
    """The heading in which an outline that enters a cell leaves it, what is positive on the right.

    Heading east, the corners ahead are the right ones of the cell, and so on.
    """
    cdef bint is_left_ahead = corners[(heading + 1) & 3] > 0
    cdef bint is_right_ahead = corners[(heading + 2) & 3] > 0
    if is_right_ahead and not is_left_ahead:
        return heading
    if is_right_ahead or (is_left_ahead and is_connected(corners, heading)):
        return (heading + 3) & 3
    return (heading + 1) & 3


cdef inline Place crossing(const float* corners, int heading) noexcept nogil:
    """Where the outline leaves a cell: between the corners `heading + 1` and `heading + 2`."""
    cdef double first = corners[(heading + 1) & 3]
    cdef double share = first / (first - corners[(heading + 2) & 3])
    if heading == EAST:
        return Place(1, share)
    if heading == SOUTH:
        return Place(1 - share, 1)
    if heading == WEST:
        return Place(0, 1 - share)
    return Place(share, 0)


cdef inline double between(double value, double first, double second) noexcept nogil:
    return fmin(fmax(value, fmin(first, second)), fmax(first, second))


cdef inline Place middle(const Cell* cell, Place first, Place last) noexcept nogil:
    """A point of the curve halfway between two of its points, along the axis they differ in more.

    The pieces of a hyperbola rise or fall all along, so it lies between the two in both axes.
    """
    cdef double constant = cell.corners[0]
    cdef double along_x = cell.corners[1] - constant, along_y = cell.corners[3] - constant
    cdef double along_both = cell.corners[2] - constant - along_x - along_y
    cdef Place found = Place((first.x + last.x) / 2, (first.y + last.y) / 2)
    cdef double slope
    if fabs(last.x - first.x) >= fabs(last.y - first.y):
        slope = along_y + along_both * found.x
        if slope != 0:
            found.y = between(-(constant + along_x * found.x) / slope, first.y, last.y)
    else:
        slope = along_x + along_both * found.y
        if slope != 0:
            found.x = between(-(constant + along_y * found.y) / slope, first.x, last.x)
    return found


cdef inline bint is_near_line(
    const Cell* cell, Place first, Place last, Place point, double limit_px
) noexcept nogil:
    cdef double x = (last.x - first.x) * cell.width, y = (last.y - first.y) * cell.height
    cdef double across = (point.x - first.x) * cell.width * y - (point.y - first.y) * cell.height * x
    return across * across <= limit_px * limit_px * (x * x + y * y)


cdef class MaskTracer:
    """See `kernels.masks.MaskTracer`, which checks the arguments."""

    cdef Axis _columns, _rows
    cdef Py_ssize_t _width, _height  # grid lines of the box at hand
    cdef float[::1] _x, _y, _x_samples, _y_samples  # of the grid lines
    cdef float[::1] _sums, _across, _field
    cdef uint8_t[::1] _is_walked  # whether an outline that is known crosses right of a corner
    cdef double _limit_px  # of the distance between a line and the curve it replaces
    # Outlines so far, and behind them the ring at hand, which ends at `_end`.
    cdef float[:, ::1] _points
    cdef uint32_t[::1] _sizes
    cdef Py_ssize_t _point_count, _ring_count, _end
    cdef int32_t[::1] _stack
    cdef uint8_t[::1] _is_kept

    def polygons(
        self, const float[:, :, ::1] prototypes, const float[:, ::1] coefficients,
        const float[:, ::1] boxes_xyxy, columns, rows, double tolerance_px,
    ):
        cdef Py_ssize_t i, rings_before, count = boxes_xyxy.shape[0]
        cdef double left, top, right, bottom
        cdef uint32_t[::1] ring_counts = np.zeros(count, np.uint32)
        self._columns = Axis(columns.gain, columns.offset, columns.low, columns.high)
        self._rows = Axis(rows.gain, rows.offset, rows.low, rows.high)
        self._reserve_grid(prototypes.shape[1], prototypes.shape[2])
        self._point_count = self._ring_count = 0
        for i in range(count):
            left, top = ceil(boxes_xyxy[i, 0]), ceil(boxes_xyxy[i, 1])
            right, bottom = ceil(boxes_xyxy[i, 2]), ceil(boxes_xyxy[i, 3])
            if left >= right or top >= bottom:
                continue
            rings_before = self._ring_count
            self._limit_px = SMALL_MASK_SHARE * sqrt((right - left) * (bottom - top))
            self._limit_px = fmax(FINEST_PX, fmin(tolerance_px, self._limit_px)) / 2
            with nogil:
                self._width = place_lines(
                    self._columns, left, right, &self._x[0], &self._x_samples[0]
                )
                self._height = place_lines(
                    self._rows, top, bottom, &self._y[0], &self._y_samples[0]
                )
                self._sum_prototypes(prototypes, coefficients, i)
            self._reserve_outlines(self._width * self._height)
            with nogil:
                self._trace()
            ring_counts[i] = <uint32_t>(self._ring_count - rings_before)
        return (
            np.array(self._points[: self._point_count]),
            np.array(self._sizes[: self._ring_count]),
            np.asarray(ring_counts),
        )

    cdef _reserve_grid(self, Py_ssize_t rows, Py_ssize_t columns):
        """Buffers for boxes over all prototypes; more lines: four for the edges, two kinks."""
        cdef Py_ssize_t width = columns + 6, height = rows + 6
        if self._x.shape[0] == width and self._y.shape[0] == height:
            return
        self._x, self._x_samples = np.empty((2, width), np.float32)
        self._y, self._y_samples = np.empty((2, height), np.float32)
        self._sums = np.empty(rows * columns, np.float32)
        self._across = np.empty(rows * width, np.float32)
        self._field = np.empty(width * height, np.float32)
        self._is_walked = np.empty(width * height, np.uint8)
        self._points = np.empty((0, 2), np.float32)
        self._sizes = np.empty(0, np.uint32)

    cdef _reserve_outlines(self, Py_ssize_t corners):
        """Room for whatever outlines a grid of so many corners can have."""
        cdef Py_ssize_t points = self._point_count + POINTS_PER_CELL * corners
        cdef Py_ssize_t rings = self._ring_count + corners
        if points > self._points.shape[0]:
            larger = np.empty((2 * points, 2), np.float32)
            larger[: self._point_count] = self._points[: self._point_count]
            self._points = larger
            self._stack = np.empty(2 * points + 1, np.int32)
            self._is_kept = np.empty(2 * points, np.uint8)
        if rings > self._sizes.shape[0]:
            sizes = np.empty(2 * rings, np.uint32)
            sizes[: self._ring_count] = self._sizes[: self._ring_count]
            self._sizes = sizes

    cdef void _sum_prototypes(
        self, const float[:, :, ::1] prototypes, const float[:, ::1] coefficients, Py_ssize_t index
    ) noexcept nogil:
        """The sum at the grid's corners: `_field`."""
        cdef Py_ssize_t left = <Py_ssize_t>self._x_samples[0], top = <Py_ssize_t>self._y_samples[0]
        cdef Py_ssize_t right = <Py_ssize_t>self._x_samples[self._width - 1] + 2
        cdef Py_ssize_t bottom = <Py_ssize_t>self._y_samples[self._height - 1] + 2
        # The sample after the last line's has no weight where that line lies on the last of all.
        cdef Py_ssize_t columns = min(right, prototypes.shape[2]) - left
        cdef Py_ssize_t rows = min(bottom, prototypes.shape[1]) - top
        cdef Py_ssize_t k, i, last = prototypes.shape[0] - 1
        memset(&self._sums[0], 0, rows * columns * sizeof(float))
        for k in range(prototypes.shape[0]):
            add_weighted(
                &self._sums[0], &prototypes[k, top, left], &prototypes[min(k + 1, last), top, left],
                coefficients[index, k], rows, columns, columns, prototypes.shape[2],
            )
        for i in range(rows * columns):
            self._sums[i] = limited(self._sums[i])
        self._interpolate(left, top, columns, rows)
        self._frame()

    cdef void _interpolate(
        self, Py_ssize_t left, Py_ssize_t top, Py_ssize_t columns, Py_ssize_t rows
    ) noexcept nogil:
        """`_field` from the sums of a window of prototypes: along x, then along y."""
        cdef Py_ssize_t x, y, before, after
        cdef float share
        cdef const float* line
        for y in range(rows):
            line = &self._sums[y * columns]
            for x in range(self._width):
                before = <Py_ssize_t>self._x_samples[x]
                share = self._x_samples[x] - before
                after = min(before + 1 - left, columns - 1)
                self._across[y * self._width + x] = mix(line[before - left], line[after], share)
        for y in range(self._height):
            before = <Py_ssize_t>self._y_samples[y]
            share = self._y_samples[y] - before
            after = min(before + 1 - top, rows - 1) * self._width
            before = (before - top) * self._width
            for x in range(self._width):
                self._field[y * self._width + x] = mix(
                    self._across[before + x], self._across[after + x], share
                )

    cdef void _frame(self) noexcept nogil:
        """Outer lines lie on the box's edges, as the next ones do; there the sum is not positive."""
        cdef Py_ssize_t i, last = (self._height - 1) * self._width
        for i in range(self._width):
            self._field[i] = <float>-fabs(self._field[i])
            self._field[last + i] = <float>-fabs(self._field[last + i])
        last = self._width - 1
        for i in range(self._height):
            self._field[i * self._width] = <float>-fabs(self._field[i * self._width])
            self._field[i * self._width + last] = <float>-fabs(self._field[i * self._width + last])

    cdef void _trace(self) noexcept nogil:
        """Add the outlines of `_field > 0`."""
        cdef Py_ssize_t row, column, at
        memset(&self._is_walked[0], 0, self._width * self._height)
        for row in range(1, self._height - 1):
            for column in range(self._width - 1):
                at = row * self._width + column
                # Every ring crosses between two corners side by side somewhere.
                if (self._field[at] > 0) != (self._field[at + 1] > 0) and not self._is_walked[at]:
                    self._end = self._point_count
                    self._walk(row, column)
                    self._finish_ring()

    cdef void _walk(self, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
        """Follow the outline between two corners side by side until it comes back."""
        cdef Py_ssize_t start = row * self._width + column, side = -1
        cdef int heading = SOUTH if self._field[start] > 0 else NORTH
        cdef Cell cell
        cdef Place place, entered
        cdef double right_share = self._field[start] / (
            <double>self._field[start] - self._field[start + 1]
        )
        entered = Place(right_share, 0 if heading == SOUTH else 1)
        row -= heading == NORTH
        while side != start:
            self._load(row, column, &cell)
            heading = turn(cell.corners, heading)
            place = crossing(cell.corners, heading)
            if cell.width > 0 and cell.height > 0:
                self._bend(&cell, entered, place, MOST_HALVINGS)
            self._add(&cell, place)
            entered = place
            if heading == EAST:
                column += 1
                entered.x = 0
            elif heading == WEST:
                column -= 1
                entered.x = 1
            elif heading == SOUTH:
                row += 1
                entered.y = 0
                side = row * self._width + column
                self._is_walked[side] = 1
            else:
                row -= 1
                entered.y = 1
                side = (row + 1) * self._width + column
                self._is_walked[side] = 1

    cdef inline void _load(self, Py_ssize_t row, Py_ssize_t column, Cell* cell) noexcept nogil:
        cdef const float* upper = &self._field[row * self._width + column]
        cdef const float* lower = upper + self._width
        cell.corners[0], cell.corners[1] = upper[0], upper[1]
        cell.corners[3], cell.corners[2] = lower[0], lower[1]
        cell.left, cell.top = self._x[column], self._y[row]
        cell.width = self._x[column + 1] - cell.left
        cell.height = self._y[row + 1] - cell.top

    cdef void _bend(self, const Cell* cell, Place first, Place last, int halvings) noexcept nogil:
        """Add what is needed between two points of the curve for straight lines to follow it."""
        cdef Place between_them = middle(cell, first, last)
        # The curve bends to one side: nowhere is it more than twice as far from the line as here.
        if is_near_line(cell, first, last, between_them, self._limit_px / 2):
            return
        if halvings > 1:
            self._bend(cell, first, between_them, halvings - 1)
        self._add(cell, between_them)
        if halvings > 1:
            self._bend(cell, between_them, last, halvings - 1)

    cdef inline void _add(self, const Cell* cell, Place place) noexcept nogil:
        self._points[self._end, 0] = <float>(cell.left + place.x * cell.width)
        self._points[self._end, 1] = <float>(cell.top + place.y * cell.height)
        self._end += 1

    cdef void _finish_ring(self) noexcept nogil:
        """Keep the ring at hand, with fewer points, unless it is too small."""
        cdef point* ring = <point*>&self._points[self._point_count, 0]
        cdef Py_ssize_t size = self._end - self._point_count
        if fabs(ring_area(ring, size)) < LEAST_AREA_PX:
            return
        size = simplify_ring(ring, size, self._limit_px, &self._stack[0], &self._is_kept[0])
        self._point_count += size
        self._sizes[self._ring_count] = <uint32_t>size
        self._ring_count += 1
