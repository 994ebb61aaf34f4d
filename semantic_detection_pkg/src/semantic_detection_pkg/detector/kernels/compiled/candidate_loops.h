/* Loops over the anchors of a channel-major head, and over the boxes that suppression kept. */
#ifndef SEMANTIC_DETECTION_CANDIDATE_LOOPS_H
#define SEMANTIC_DETECTION_CANDIDATE_LOOPS_H

#include "dispatch.h"

/* Raises the best score of each anchor by four classes at once, so that the best ones are read and
   written less often; the first of equal ones stays. is_nan becomes nonzero where a score is no
   number. Absent classes repeat an earlier one: it is not better than itself. */
VECTOR_LOOP void raise_scores(float *restrict best, int32_t *restrict label,
                              int32_t *restrict is_nan, const float *const scores[4],
                              int32_t first_label, long count) {
    const float *restrict a = scores[0], *restrict b = scores[1];
    const float *restrict c = scores[2], *restrict d = scores[3];
    for (long i = 0; i < count; i++) {
        float top = best[i];
        int32_t of = label[i];
        int32_t bad = is_nan[i];
#define RAISE(scores, number)                                                                      \
    of = scores[i] > top ? first_label + number : of;                                              \
    top = scores[i] > top ? scores[i] : top;                                                       \
    bad |= scores[i] != scores[i];
        RAISE(a, 0) RAISE(b, 1) RAISE(c, 2) RAISE(d, 3)
#undef RAISE
        best[i] = top;
        label[i] = of;
        is_nan[i] = bad;
    }
}

struct boxes {
    float *left, *top, *right, *bottom, *area;
    int32_t *label;
};

static inline float side(float low, float high) { return high > low ? high - low : 0.0f; }

/* Whether one of the kept boxes from..to of the same label overlaps box i of `boxes` by more than
   `limit`: intersection over union in float32, 0 where the union is empty. */
VECTOR_LOOP int is_overlapped(struct boxes kept, long from, long to, struct boxes boxes, long i,
                              float limit) {
    const float left = boxes.left[i], top = boxes.top[i], right = boxes.right[i];
    const float bottom = boxes.bottom[i], area = boxes.area[i];
    const int32_t label = boxes.label[i];
    int is_found = 0;
    for (long k = from; k < to; k++) {
        const float low_x = kept.left[k] > left ? kept.left[k] : left;
        const float low_y = kept.top[k] > top ? kept.top[k] : top;
        const float high_x = kept.right[k] < right ? kept.right[k] : right;
        const float high_y = kept.bottom[k] < bottom ? kept.bottom[k] : bottom;
        const float shared = side(low_x, high_x) * side(low_y, high_y);
        const float united = kept.area[k] + area - shared;
        is_found |= (kept.label[k] == label) & (united > 0.0f) & (shared / united > limit);
    }
    return is_found;
}

#endif
