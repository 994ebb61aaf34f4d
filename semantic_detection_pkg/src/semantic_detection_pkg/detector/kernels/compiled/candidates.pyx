# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""Score filter and suppression on the model's output; only what stays is copied out of it."""

from libc.math cimport INFINITY, isfinite, isnan
from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memcpy, memset

import numpy as np

cdef extern from "candidate_loops.h" nogil:
    struct boxes:
        float* left
        float* top
        float* right
        float* bottom
        float* area
        int32_t* label
    void raise_scores(float*, int32_t*, int32_t*, const float**, int32_t, long)
    int is_overlapped(boxes, long, long, boxes, long, float)
    float side(float, float)

cdef enum:
    MOST = 30_000  # only the best so many go into suppression
    BLOCK = 1024  # anchors whose best scores stay in the first-level cache meanwhile
    KEPT_BLOCK = 64  # kept boxes compared before looking whether one was found


cdef boxes view(float[:, ::1] numbers, int32_t[::1] labels) noexcept nogil:
    return boxes(
        &numbers[0, 0], &numbers[1, 0], &numbers[2, 0], &numbers[3, 0], &numbers[4, 0], &labels[0]
    )


cdef class CandidateSelector:
    """See `kernels.candidates.CandidateSelector`, which checks the arguments."""

    cdef float[::1] _best  # of a block
    cdef int32_t[::1] _best_label, _is_nan
    # Candidates, in the order of the output. Numbers: left, top, right, bottom, area, score.
    cdef float[:, ::1] _numbers
    cdef int32_t[::1] _labels, _source
    cdef Py_ssize_t _count, _rejected
    # What suppression kept, by falling score. `_groups`: the labels it compares.
    cdef float[:, ::1] _kept_numbers
    cdef int32_t[::1] _kept_groups, _kept, _groups
    cdef int32_t[:, ::1] _order

    def __init__(self):
        self._best = np.empty(BLOCK, np.float32)
        self._best_label = np.empty(BLOCK, np.int32)
        self._is_nan = np.empty(BLOCK, np.int32)
        self._reserve(1, 1)

    def from_raw(self, const float[:, ::1] head, columns, mask_channels, confidence, rule):
        cdef const Py_ssize_t[::1] wanted = columns
        cdef Py_ssize_t first = 0, count, channels = mask_channels
        cdef float threshold = confidence
        self._reserve(head.shape[1], rule.most)
        with nogil:
            while first < head.shape[1]:
                count = min(<Py_ssize_t>BLOCK, head.shape[1] - first)
                self._find_best(head, wanted, first, count)
                self._collect(head, channels, threshold, first, count)
                first += count
        self._suppress(rule)
        return self._result(head.T, head.shape[0] - channels)

    def from_rows(self, const float[:, ::1] rows, columns, class_count, confidence, rule):
        cdef const Py_ssize_t[::1] label_of = _labels_of(columns, class_count)
        cdef float threshold = confidence, score, label
        cdef Py_ssize_t i, position
        self._reserve(rows.shape[0], rule.most)
        with nogil:
            for i in range(rows.shape[0]):
                score = rows[i, 4]
                if not (score > threshold or isnan(score)):
                    continue
                label = rows[i, 5]
                if not (label >= 0 and label < label_of.shape[0]):
                    self._rejected += 1
                    continue
                position = label_of[<Py_ssize_t>label]
                if position >= 0:
                    self._add(
                        rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], score,
                        &rows[i, 0] + 6, rows.shape[1] - 6, 1, position, i,
                    )
        self._suppress(rule)
        return self._result(rows, 6)

    cdef _reserve(self, Py_ssize_t candidates, Py_ssize_t most):
        """Buffers for so many, kept while they are large enough; nothing in them yet."""
        most = min(most, candidates)
        if candidates > self._labels.shape[0]:
            self._numbers = np.empty((6, candidates), np.float32)
            self._labels, self._source, self._groups = np.empty((3, candidates), np.int32)
            self._order = np.empty((2, candidates), np.int32)
        if most > self._kept.shape[0]:
            self._kept_numbers = np.empty((5, most), np.float32)
            self._kept, self._kept_groups = np.empty((2, most), np.int32)
        self._count = self._rejected = 0

    cdef void _find_best(
        self, const float[:, ::1] head, const Py_ssize_t[::1] wanted,
        Py_ssize_t first, Py_ssize_t count,
    ) noexcept nogil:
        """Best score and its label of each anchor of a block."""
        cdef Py_ssize_t i, k
        cdef const float* scores[4]
        for i in range(count):
            self._best[i] = -INFINITY
        memset(&self._best_label[0], 0, count * sizeof(int32_t))
        memset(&self._is_nan[0], 0, count * sizeof(int32_t))
        for i in range(0, wanted.shape[0], 4):
            for k in range(4):
                scores[k] = &head[4 + wanted[min(i + k, wanted.shape[0] - 1)], first]
            raise_scores(
                &self._best[0], &self._best_label[0], &self._is_nan[0], scores, <int32_t>i, count
            )

    cdef void _collect(
        self, const float[:, ::1] head, Py_ssize_t mask_channels, float threshold,
        Py_ssize_t first, Py_ssize_t count,
    ) noexcept nogil:
        """Candidates of a block whose best scores are known."""
        cdef Py_ssize_t i, anchor, anchors = head.shape[1]
        cdef Py_ssize_t coefficients = head.shape[0] - mask_channels
        cdef float half_width, half_height
        for i in range(count):
            if self._is_nan[i]:
                self._rejected += 1
            elif self._best[i] > threshold:
                anchor = first + i
                half_width = head[2, anchor] / 2
                half_height = head[3, anchor] / 2
                self._add(
                    head[0, anchor] - half_width, head[1, anchor] - half_height,
                    head[0, anchor] + half_width, head[1, anchor] + half_height,
                    self._best[i], &head[0, anchor] + coefficients * anchors, mask_channels,
                    anchors, self._best_label[i], anchor,
                )

    cdef void _add(
        self, float left, float top, float right, float bottom, float score,
        const float* coefficients, Py_ssize_t channels, Py_ssize_t stride,
        Py_ssize_t label, Py_ssize_t source,
    ) noexcept nogil:
        """One more candidate, or one more rejected where a number is not finite."""
        cdef Py_ssize_t k, at = self._count
        cdef bint is_good = (
            isfinite(left) and isfinite(top) and isfinite(right) and isfinite(bottom)
            and isfinite(score)
        )
        for k in range(channels):
            is_good &= isfinite(coefficients[k * stride]) != 0
        if not is_good:
            self._rejected += 1
            return
        self._numbers[0, at], self._numbers[1, at] = left, top
        self._numbers[2, at], self._numbers[3, at] = right, bottom
        self._numbers[4, at] = side(left, right) * side(top, bottom)
        self._numbers[5, at] = score if score < 1 else 1
        self._labels[at], self._source[at] = <int32_t>label, <int32_t>source
        self._count += 1

    cdef _suppress(self, rule):
        """Fill `_kept` with positions of candidates; its length becomes `_count`."""
        cdef float limit = INFINITY if rule.iou is None else rule.iou
        cdef bint is_agnostic = rule.is_agnostic
        cdef Py_ssize_t most = rule.most
        with nogil:
            if is_agnostic:
                memset(&self._groups[0], 0, self._count * sizeof(int32_t))
            else:
                memcpy(&self._groups[0], &self._labels[0], self._count * sizeof(int32_t))
            self._sort()
            self._count = self._choose(most, limit)

    cdef void _sort(self) noexcept nogil:
        """Order of falling score, equal ones in their order: radix sort, a byte at a time."""
        cdef const uint32_t* bits = <const uint32_t*>&self._numbers[5, 0]
        cdef Py_ssize_t places[256]
        cdef Py_ssize_t i, place, count, total
        cdef int32_t* before = &self._order[0, 0]
        cdef int32_t* after = &self._order[1, 0]
        cdef int shift = 0
        for i in range(self._count):
            before[i] = <int32_t>i
        # Scores are positive, so that their bits sort as they do; inverted: the highest first.
        while shift < 32:
            memset(places, 0, sizeof(places))
            for i in range(self._count):
                places[(~bits[i] >> shift) & 255] += 1
            total = 0
            for place in range(256):
                count = places[place]
                places[place] = total
                total += count
            for i in range(self._count):
                place = (~bits[before[i]] >> shift) & 255
                after[places[place]] = before[i]
                places[place] += 1
            before, after = after, before
            shift += 8

    cdef Py_ssize_t _choose(self, Py_ssize_t most, float limit) noexcept nogil:
        """Greedy suppression: a candidate stays unless a better one that stayed overlaps it."""
        cdef boxes all_boxes = view(self._numbers, self._groups)
        cdef boxes kept_boxes = view(self._kept_numbers, self._kept_groups)
        cdef Py_ssize_t i, at, k, number, kept = 0
        for i in range(min(self._count, <Py_ssize_t>MOST)):
            if kept == most:
                break
            at = self._order[0, i]
            k = 0
            while k < kept and not is_overlapped(
                kept_boxes, k, min(k + KEPT_BLOCK, kept), all_boxes, at, limit
            ):
                k += KEPT_BLOCK
            if k < kept:
                continue
            for number in range(5):
                self._kept_numbers[number, kept] = self._numbers[number, at]
            self._kept_groups[kept] = self._groups[at]
            self._kept[kept] = <int32_t>at
            kept += 1
        return kept

    cdef _result(self, const float[:, :] rows, Py_ssize_t first):
        """What was kept; the coefficients are columns of `rows` from `first` on."""
        cdef Py_ssize_t i, k, at, channels = rows.shape[1] - first
        cdef float[:, ::1] found_boxes = np.empty((self._count, 4), np.float32)
        cdef float[::1] scores = np.empty(self._count, np.float32)
        cdef Py_ssize_t[::1] labels = np.empty(self._count, np.intp)
        cdef float[:, ::1] coefficients = np.empty((self._count, channels), np.float32)
        with nogil:
            for i in range(self._count):
                at = self._kept[i]
                for k in range(4):
                    found_boxes[i, k] = self._numbers[k, at]
                scores[i] = self._numbers[5, at]
                labels[i] = self._labels[at]
                for k in range(channels):
                    coefficients[i, k] = rows[self._source[at], first + k]
        return (
            np.asarray(found_boxes), np.asarray(scores), np.asarray(labels),
            np.asarray(coefficients), self._rejected,
        )


def _labels_of(columns, class_count):
    """For each class its position in `columns`, -1 where it is not wanted."""
    label_of = np.full(class_count, -1, np.intp)
    label_of[columns] = np.arange(len(columns))
    return label_of
