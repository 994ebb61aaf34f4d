/* Closed polygons: their area, and fewer points for nearly the same outline. */
#ifndef SEMANTIC_DETECTION_OUTLINE_H
#define SEMANTIC_DETECTION_OUTLINE_H

#include <stdint.h>

struct point {
    float x, y;
};

/* Signed area, positive where the ring turns from x to y. */
static double ring_area(const struct point *ring, long count) {
    double doubled = 0;
    for (long i = 1; i + 1 < count; i++) {
        const double ax = (double)ring[i].x - ring[0].x, ay = (double)ring[i].y - ring[0].y;
        const double bx = (double)ring[i + 1].x - ring[0].x;
        const double by = (double)ring[i + 1].y - ring[0].y;
        doubled += ax * by - ay * bx;
    }
    return doubled / 2;
}

static double squared_distance(struct point point, struct point start, struct point end) {
    const double ex = (double)end.x - start.x, ey = (double)end.y - start.y;
    double px = (double)point.x - start.x, py = (double)point.y - start.y;
    const double length = ex * ex + ey * ey;
    if (length > 0) {
        double share = (px * ex + py * ey) / length;
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        px -= share * ex;
        py -= share * ey;
    }
    return px * px + py * py;
}

/* Which of the points between `first` and `last` is farthest from the line between these; `last`
   may be `count`, which is point 0 again. Returns `first` where none is farther than the limit. */
static long farthest(const struct point *ring, long count, long first, long last,
                     double squared_limit) {
    const struct point start = ring[first], end = ring[last == count ? 0 : last];
    long found = first;
    for (long i = first + 1; i < last; i++) {
        const double squared = squared_distance(ring[i], start, end);
        if (squared > squared_limit) {
            squared_limit = squared;
            found = i;
        }
    }
    return found;
}

/* Ramer-Douglas-Peucker on a closed ring, in place: leaves out points that lie within `limit` of
   the line that replaces them. `stack` holds `count` + 1 numbers, `is_kept` `count`. Returns how
   many points are left; all where fewer than three would be. */
static long simplify_ring(struct point *ring, long count, double limit, int32_t *stack,
                          uint8_t *is_kept) {
    long first = 0, last, kept = 1, depth = 0;
    for (long i = 1; i < count; i++) is_kept[i] = 0;
    is_kept[0] = 1;
    /* Of the pieces still to do, the stack holds the ends; the last one's beginning is `first`. */
    stack[depth++] = (int32_t)count;
    while (depth > 0) {
        last = stack[depth - 1];
        const long split = farthest(ring, count, first, last, limit * limit);
        if (split == first) {
            first = last;
            depth--;
        } else {
            is_kept[split] = 1;
            kept++;
            stack[depth++] = (int32_t)split;
        }
    }
    if (kept < 3) return count;
    long left = 0;
    for (long i = 0; i < count; i++)
        if (is_kept[i]) ring[left++] = ring[i];
    return left;
}

#endif
