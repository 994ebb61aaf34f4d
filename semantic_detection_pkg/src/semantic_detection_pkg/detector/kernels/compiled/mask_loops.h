/* The weighted sum of prototypes, a line at a time. */
#ifndef SEMANTIC_DETECTION_MASK_LOOPS_H
#define SEMANTIC_DETECTION_MASK_LOOPS_H

#include "dispatch.h"

/* sums[line][i] += weight * samples[line][i]. `following`: samples of the next call, which are
   fetched meanwhile: another prototype is too far away for the processor to foresee it. */
VECTOR_LOOP void add_weighted(float *restrict sums, const float *restrict samples,
                              const float *following, float weight, long lines, long count,
                              long sums_stride, long samples_stride) {
    for (long line = 0; line < lines; line++) {
        for (long i = 0; i < count + 15; i += 16)
            __builtin_prefetch(following + line * samples_stride + (i < count ? i : count - 1));
        for (long i = 0; i < count; i++)
            sums[line * sums_stride + i] += weight * samples[line * samples_stride + i];
    }
}

#endif
