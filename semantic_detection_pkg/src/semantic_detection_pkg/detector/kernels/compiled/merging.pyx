# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""What several looks at one picture found, put together; see `kernels.merging` and the twin."""

from libc.math cimport fmax, fmin
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

cdef enum:
    PART = 0
    SEEN_AGAIN = 1
    LEFT = 1  # bits of the sides that are cut
    TOP = 2
    RIGHT = 4
    BOTTOM = 8
    WORDS = 5  # of 64 bits: `kernels.merging.MOST_VIEWS` looks

# Another look is no witness for what this one cut where its view is so much coarser.
cdef double COARSER = 1.5
# So much of what an edge cut lies in a whole thing that goes on there: it is a piece of it.
cdef double PIECE = 0.9


cdef struct Rectangle:
    double x0, y0, x1, y1


cdef struct Look:
    Rectangle region
    double margin
    bint is_whole  # the picture, beside tiles


cdef struct Seen:
    Rectangle box
    int cut
    Py_ssize_t label, look


cdef struct Thing:
    Rectangle box, region
    int cut
    Py_ssize_t label
    uint64_t looks[WORDS]  # whose parts it consists of
    int parts
    double margin  # the largest of these
    bint stands  # it was not joined to another
    int32_t number


cdef inline Rectangle common(Rectangle a, Rectangle b) noexcept nogil:
    return Rectangle(fmax(a.x0, b.x0), fmax(a.y0, b.y0), fmin(a.x1, b.x1), fmin(a.y1, b.y1))


cdef inline Rectangle hull(Rectangle a, Rectangle b) noexcept nogil:
    return Rectangle(fmin(a.x0, b.x0), fmin(a.y0, b.y0), fmax(a.x1, b.x1), fmax(a.y1, b.y1))


cdef inline double area(Rectangle a) noexcept nogil:
    return fmax(a.x1 - a.x0, 0) * fmax(a.y1 - a.y0, 0)


cdef inline double iou_of(Rectangle a, Rectangle b) noexcept nogil:
    cdef double shared = area(common(a, b))
    return shared / (area(a) + area(b) - shared) if shared > 0 else 0


cdef inline int cut_sides(
    Rectangle box, Rectangle region, double margin, double width, double height
) noexcept nogil:
    """The sides of a box that lie at an edge of its region that is not the picture's."""
    cdef int sides = 0
    if region.x0 > 0 and box.x0 <= region.x0 + margin:
        sides |= LEFT
    if region.y0 > 0 and box.y0 <= region.y0 + margin:
        sides |= TOP
    if region.x1 < width and box.x1 >= region.x1 - margin:
        sides |= RIGHT
    if region.y1 < height and box.y1 >= region.y1 - margin:
        sides |= BOTTOM
    return sides


cdef inline bint is_others(
    Seen seen, const Look* looks, Py_ssize_t count, double width, double height
) noexcept nogil:
    """Whether a box was cut, and another look as fine sees all of it and beyond."""
    cdef Py_ssize_t i
    cdef Rectangle box = seen.box, region, own = looks[seen.look].region
    if not seen.cut:
        return False
    for i in range(count):
        region = looks[i].region
        if i == seen.look or region.x1 - region.x0 > COARSER * (own.x1 - own.x0):
            continue
        if box.x0 < region.x0 or box.y0 < region.y0 or box.x1 > region.x1 or box.y1 > region.y1:
            continue
        if not cut_sides(box, region, looks[i].margin, width, height):
            return True
    return False


cdef inline double share_of(
    const Thing* thing, const Seen* seen, Rectangle region
) noexcept nogil:
    """Overlap of a thing and a box, each as far as it lies where both were seen; or of a piece."""
    cdef Rectangle bounds = common(region, thing.region) if thing.cut else region
    cdef Rectangle box = seen.box
    cdef double share = iou_of(common(thing.box, bounds), common(box, bounds)), piece
    if thing.cut or not (
        (seen.cut & LEFT and thing.box.x0 < region.x0)
        or (seen.cut & TOP and thing.box.y0 < region.y0)
        or (seen.cut & RIGHT and thing.box.x1 > region.x1)
        or (seen.cut & BOTTOM and thing.box.y1 > region.y1)
    ):
        return share
    piece = area(common(thing.box, box)) / area(box) if area(box) > 0 else 0
    return fmax(share, piece) if piece > PIECE else share


cdef inline Py_ssize_t match(
    const Thing* things, Py_ssize_t count, const Seen* seen, Rectangle region, double iou,
    double same_box_iou, bint is_agnostic,
) noexcept nogil:
    """The thing that this box shows, too, or -1: of its class before others, the best overlap."""
    cdef Py_ssize_t i, best = -1
    cdef double share, best_share = 0
    cdef bint is_same, is_best_same = False
    for i in range(count):
        is_same = is_agnostic or things[i].label == seen.label
        if is_best_same and not is_same:
            continue
        share = share_of(&things[i], seen, region) if is_same else iou_of(
            things[i].box, seen.box
        )
        if share <= (iou if is_same else same_box_iou):
            continue
        if best < 0 or (is_same and not is_best_same) or share > best_share:
            best, best_share, is_best_same = i, share, is_same
    return best


cdef inline bint is_continued(const Thing* thing, const Seen* seen, Rectangle region) noexcept nogil:
    """Whether a box shows what lies beyond the edge that cut the thing."""
    cdef Rectangle own = thing.region
    if thing.label != seen.label or thing.looks[seen.look >> 6] >> (seen.look & 63) & 1:
        return False
    if thing.parts > 1 and seen.cut:
        return True  # the last of several around a corner
    if seen.cut and (
        (thing.cut & LEFT and seen.box.x0 < own.x0)
        or (thing.cut & TOP and seen.box.y0 < own.y0)
        or (thing.cut & RIGHT and seen.box.x1 > own.x1)
        or (thing.cut & BOTTOM and seen.box.y1 > own.y1)
    ):
        return True
    return (
        (thing.cut & LEFT and seen.cut & RIGHT and region.x0 < own.x0)
        or (thing.cut & TOP and seen.cut & BOTTOM and region.y0 < own.y0)
        or (thing.cut & RIGHT and seen.cut & LEFT and region.x1 > own.x1)
        or (thing.cut & BOTTOM and seen.cut & TOP and region.y1 > own.y1)
    )


cdef inline void add_part(Thing* thing, Py_ssize_t look, double margin) noexcept nogil:
    thing.parts += 1
    thing.margin = fmax(thing.margin, margin)
    thing.looks[look >> 6] |= <uint64_t>1 << (look & 63)


cdef inline bint is_same(const Thing* a, const Thing* b, double iou) noexcept nogil:
    """Whether two things are one, as far as both were seen."""
    cdef Rectangle box = a.box, other = b.box
    cdef int word
    if a.label != b.label:
        return False
    for word in range(WORDS):
        if a.looks[word] & b.looks[word]:
            return False
    if a.cut:
        box, other = common(box, a.region), common(other, a.region)
    if b.cut:
        box, other = common(box, b.region), common(other, b.region)
    return iou_of(box, other) > iou


cdef void join_grown(
    Thing* things, Py_ssize_t found, int32_t* number, uint8_t* role, Py_ssize_t count,
    double width, double height, double iou,
) noexcept nogil:
    """Join things that are one now that one of them has grown; number what is left anew."""
    cdef Py_ssize_t a, b, i, k, kept, gone, word
    cdef int32_t next_number = 0
    cdef bint is_joined = True
    while is_joined:
        is_joined = False
        for a in range(found):
            for b in range(found):
                if things[a].parts < 2 or not things[a].stands:
                    break  # those that have not grown were compared before
                if a == b or not things[b].stands or not is_same(&things[a], &things[b], iou):
                    continue
                i, k = (a, b) if a < b else (b, a)
                kept, gone = (i, k) if things[k].cut else (k, i)
                is_joined, things[gone].stands = True, False
                for i in range(count):
                    if number[i] == gone:
                        number[i] = <int32_t>kept
                        if not things[kept].cut:  # it is whole; the other's parts only confirm it
                            role[i] = SEEN_AGAIN
                if not things[kept].cut:
                    continue
                things[kept].box = hull(things[kept].box, things[gone].box)
                things[kept].region = hull(things[kept].region, things[gone].region)
                things[kept].margin = fmax(things[kept].margin, things[gone].margin)
                things[kept].parts += things[gone].parts
                for word in range(WORDS):
                    things[kept].looks[word] |= things[gone].looks[word]
                things[kept].cut = cut_sides(
                    things[kept].box, things[kept].region, things[kept].margin, width, height
                )
    for a in range(found):
        things[a].number = next_number
        next_number += things[a].stands
    for i in range(count):
        if number[i] >= 0:
            number[i] = things[number[i]].number


def group(
    const float[:, ::1] boxes_xyxy, const float[::1] scores, const Py_ssize_t[::1] labels,
    const Py_ssize_t[::1] looks, const float[:, ::1] regions, const float[::1] margins, size,
    double iou, double same_box_iou, bint is_agnostic,
):
    cdef Py_ssize_t i, k, at, found = 0, count = scores.shape[0], views = regions.shape[0]
    cdef double width = size[0], height = size[1]
    numbers = np.full(count, -1, np.int32)
    roles = np.full(count, SEEN_AGAIN, np.uint8)
    ranks = np.empty(count, np.int8)
    if not count:
        return numbers, roles
    cdef int32_t[::1] number = numbers
    cdef uint8_t[::1] role = roles
    cdef signed char[::1] rank = ranks
    cdef Look* look = <Look*>malloc(views * sizeof(Look))
    cdef Seen* seen = <Seen*>malloc(count * sizeof(Seen))
    cdef Thing* things = <Thing*>malloc(count * sizeof(Thing))
    cdef Py_ssize_t[::1] order
    try:
        if look == NULL or seen == NULL or things == NULL:
            raise MemoryError
        for i in range(views):
            look[i].region = Rectangle(
                regions[i, 0], regions[i, 1], regions[i, 2], regions[i, 3]
            )
            look[i].margin = margins[i]
            look[i].is_whole = views > 1 and (
                regions[i, 0] == 0 and regions[i, 1] == 0
                and regions[i, 2] == width and regions[i, 3] == height
            )
        for i in range(count):
            k = looks[i]
            seen[i].box = Rectangle(
                boxes_xyxy[i, 0], boxes_xyxy[i, 1], boxes_xyxy[i, 2], boxes_xyxy[i, 3]
            )
            seen[i].label, seen[i].look = labels[i], k
            seen[i].cut = cut_sides(seen[i].box, look[k].region, look[k].margin, width, height)
            rank[i] = 2 * (seen[i].cut != 0) + look[k].is_whole
            if is_others(seen[i], look, views, width, height):
                rank[i] = -1
        order = np.lexsort((-np.asarray(scores), ranks))
        for at in range(count):
            i = order[at]
            if rank[i] < 0:
                continue
            k = match(
                things, found, &seen[i], look[seen[i].look].region, iou, same_box_iou, is_agnostic
            )
            if k < 0:
                k = found
                found += 1
                things[k].box, things[k].region = seen[i].box, look[seen[i].look].region
                things[k].cut, things[k].label = seen[i].cut, seen[i].label
                things[k].parts, things[k].margin, things[k].stands = 0, 0, True
                memset(&things[k].looks[0], 0, sizeof(things[k].looks))
                add_part(&things[k], seen[i].look, look[seen[i].look].margin)
                role[i] = PART
            elif is_continued(&things[k], &seen[i], look[seen[i].look].region):
                role[i] = PART
                things[k].box = hull(things[k].box, seen[i].box)
                things[k].region = hull(things[k].region, look[seen[i].look].region)
                things[k].cut = cut_sides(
                    things[k].box, things[k].region, look[seen[i].look].margin, width, height
                )
                add_part(&things[k], seen[i].look, look[seen[i].look].margin)
            number[i] = <int32_t>k
        join_grown(things, found, &number[0], &role[0], count, width, height, iou)
    finally:
        free(look)
        free(seen)
        free(things)
    return numbers, roles


cdef class _Cut:
    """One mask on one side of a seam: whole rings, and the chains of those that cross it."""

    cdef float[:, ::1] points  # rings, then chains
    cdef Py_ssize_t count  # of points
    cdef list rings  # (first point, end) of each
    cdef list chains  # likewise
    cdef list enters, leaves  # where each chain crosses the seam, along it

    def __init__(
        self, const float[:, ::1] points, const Py_ssize_t[::1] sizes, int axis, double seam,
        bint is_low,
    ):
        cdef Py_ssize_t ring, first = 0, inside
        self.points = np.empty((3 * points.shape[0] + 1, 2), np.float32)
        self.count = 0
        self.rings, self.chains, self.enters, self.leaves = [], [], [], []
        for ring in range(sizes.shape[0]):
            inside = self._inside(points, first, sizes[ring], axis, seam, is_low)
            if inside == sizes[ring] and inside:
                self._copy(points, first, sizes[ring])
            elif inside:
                self._split(points, first, sizes[ring], axis, seam, is_low)
            first += sizes[ring]

    cdef Py_ssize_t _inside(
        self, const float[:, ::1] points, Py_ssize_t first, Py_ssize_t size, int axis, double seam,
        bint is_low,
    ):
        """How many of a ring's points lie on this side."""
        cdef Py_ssize_t i, inside = 0
        for i in range(first, first + size):
            inside += (points[i, axis] <= seam) == is_low
        return inside

    cdef _copy(self, const float[:, ::1] points, Py_ssize_t first, Py_ssize_t size):
        cdef Py_ssize_t i
        for i in range(first, first + size):
            self._add(points[i, 0], points[i, 1])
        self.rings.append((self.count - size, self.count))

    cdef inline void _add(self, float x, float y) noexcept:
        self.points[self.count, 0], self.points[self.count, 1] = x, y
        self.count += 1

    cdef _split(
        self, const float[:, ::1] points, Py_ssize_t first, Py_ssize_t size, int axis, double seam,
        bint is_low,
    ):
        """The pieces of a ring on this side."""
        cdef Py_ssize_t i, here, before, start = 0, begin = 0
        cdef bint is_inside, was_inside
        while True:
            here, before = first + start, first + (start + size - 1) % size
            is_inside = (points[here, axis] <= seam) == is_low
            was_inside = (points[before, axis] <= seam) == is_low
            if is_inside and not was_inside:
                break
            start += 1
        was_inside = False
        for i in range(start, start + size + 1):
            here, before = first + i % size, first + (i + size - 1) % size
            is_inside = i < start + size and (points[here, axis] <= seam) == is_low
            if is_inside and not was_inside:
                begin = self.count
                self._cross(points, before, here, axis, seam)
                self.enters.append(self.points[begin, 1 - axis])
            elif was_inside and not is_inside:
                self._cross(points, before, here, axis, seam)
                self.leaves.append(self.points[self.count - 1, 1 - axis])
                self.chains.append((begin, self.count))
            if is_inside:
                self._add(points[here, 0], points[here, 1])
            was_inside = is_inside

    cdef void _cross(
        self, const float[:, ::1] points, Py_ssize_t a, Py_ssize_t b, int axis, double seam
    ) noexcept:
        """Add the point where the line between two points crosses the seam."""
        cdef double start = points[a, axis], end = points[b, axis]
        cdef double share = (seam - start) / (end - start)
        cdef double other = points[a, 1 - axis]
        other += share * (points[b, 1 - axis] - other)
        if axis == 0:
            self._add(<float>seam, <float>other)
        else:
            self._add(<float>other, <float>seam)


cdef list _in_order(list places):
    """Positions of the places, from the least."""
    return sorted(range(len(places)), key=places.__getitem__)


def join_rings(first, second, int axis, double seam):
    cdef _Cut low = _Cut(first[0], first[1], axis, seam, True)
    cdef _Cut high = _Cut(second[0], second[1], axis, seam, False)
    cdef list sides = [np.asarray(low.points), np.asarray(high.points)]
    cdef list pieces = [], sizes = []
    for side, cut in ((0, low), (1, high)):
        for begin, end in (<_Cut>cut).rings:
            pieces.append(sides[side][begin:end])
            sizes.append(end - begin)
    if len(low.chains) != len(high.chains):
        for side, cut in ((0, low), (1, high)):
            for begin, end in (<_Cut>cut).chains:
                pieces.append(sides[side][begin:end])
                sizes.append(end - begin)
    else:
        _stitch(low, high, sides, pieces, sizes)
    points = np.concatenate(pieces) if pieces else np.empty((0, 2), np.float32)
    return points, np.array(sizes, np.uint32)


cdef _stitch(_Cut low, _Cut high, list sides, list pieces, list sizes):
    """Rings from chains of both sides: each goes on where one of the other begins, in order."""
    cdef dict following = {}
    for side, ours, theirs in ((0, low, high), (1, high, low)):
        ends = _in_order((<_Cut>ours).leaves)
        starts = _in_order((<_Cut>theirs).enters)
        for end, start in zip(ends, starts):
            following[side, end] = (1 - side, start)
    used = set()
    chains = (low.chains, high.chains)
    for at in following:
        size = 0
        while at not in used:
            used.add(at)
            begin, end = chains[at[0]][at[1]]
            pieces.append(sides[at[0]][begin:end])
            size += end - begin
            at = following[at]
        if size:
            sizes.append(size)
