/* Loops over lines of a picture that is reduced, and over its colours. */
#ifndef SEMANTIC_DETECTION_PROPOSAL_LOOPS_H
#define SEMANTIC_DETECTION_PROPOSAL_LOOPS_H

#include "dispatch.h"

VECTOR_LOOP void add_line(uint16_t *restrict total, const uint8_t *restrict line, long count) {
    for (long i = 0; i < count; i++)
        total[i] = (uint16_t)(total[i] + line[i]);
}

/* The mean of each block, rounded: sums are exact in float32. */
VECTOR_LOOP void round_means(uint8_t *restrict mean, const int32_t *restrict sum,
                             const float *restrict share, long count) {
    for (long i = 0; i < count; i++)
        mean[i] = (uint8_t)(int32_t)((float)sum[i] * share[i] + 0.5f);
}

VECTOR_LOOP void move_window(int32_t *restrict columns, const uint8_t *restrict enters,
                             const uint8_t *restrict leaves, long count) {
    for (long i = 0; i < count; i++)
        columns[i] += (int32_t)enters[i] - (int32_t)leaves[i];
}

/* Quarter levels that a line differs by from the mean around each pixel. The sum of the window is
   the difference of two prefix sums, `reach` apart. Adding 1024 makes the cast round to nearest. */
VECTOR_LOOP void residual_line(int16_t *restrict residual, const uint8_t *restrict line,
                               const int32_t *restrict prefix, long reach,
                               const float *restrict share, long count) {
    for (long i = 0; i < count; i++) {
        const float mean = (float)(prefix[i + reach] - prefix[i]) * share[i];
        const float apart = (float)line[i] - mean;
        residual[i] = (int16_t)((int32_t)(apart * 4.0f + 1024.5f) - 1024);
    }
}

/* At most 1024 values, so that the sum stays below 2^31: none is beyond +-1020. */
VECTOR_LOOP int32_t sum_of(const int16_t *restrict a, long count) {
    int32_t total = 0;
    for (long i = 0; i < count; i++)
        total += a[i];
    return total;
}

VECTOR_LOOP int32_t sum_of_products(const int16_t *restrict a, const int16_t *restrict b,
                                    long count) {
    int32_t total = 0;
    for (long i = 0; i < count; i++)
        total += (int32_t)a[i] * (int32_t)b[i];
    return total;
}

/* Squared Mahalanobis distances; the order of the operations is that of the twin. */
VECTOR_LOOP void distance_line(float *restrict distance, const int16_t *restrict blue,
                               const int16_t *restrict green, const int16_t *restrict red,
                               const float *mean, const float *weight, long count) {
    const float m0 = mean[0], m1 = mean[1], m2 = mean[2];
    const float w0 = weight[0], w1 = weight[1], w2 = weight[2];
    const float w3 = weight[3], w4 = weight[4], w5 = weight[5];
    for (long i = 0; i < count; i++) {
        const float x = (float)blue[i] - m0, y = (float)green[i] - m1, z = (float)red[i] - m2;
        const float squares = w0 * (x * x) + w1 * (y * y) + w2 * (z * z);
        distance[i] = squares + (w3 * (x * y) + w4 * (x * z) + w5 * (y * z));
    }
}

#endif
