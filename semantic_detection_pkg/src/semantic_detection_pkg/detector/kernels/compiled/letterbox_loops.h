/* One line of the network's input from one or two lines of a BGR picture. */
#ifndef SEMANTIC_DETECTION_LETTERBOX_LOOPS_H
#define SEMANTIC_DETECTION_LETTERBOX_LOOPS_H

#include "dispatch.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pixels are read as little-endian words"
#endif

typedef uint32_t pixel_word __attribute__((aligned(1), may_alias));
typedef uint32_t float_bits __attribute__((may_alias));

/* Four bytes are read for three. The word of the left pixel ends in its right neighbour, that of
   the right one begins in its left neighbour, so nothing outside the line is touched. */
#define LEFT_WORD(line, at) (*(const pixel_word *)((line) + (at)))
#define RIGHT_WORD(line, at) (*(const pixel_word *)((line) + (at) + 2) >> 8)
#define CHANNEL(word, shift) ((float)(int32_t)(((word) >> (shift)) & 255))
#define MIX(first, second, share) ((first) + ((second) - (first)) * (share))

/* at[i]: byte offset of the left one of the two pixels that output i lies between; across[i]: its
   share of the right one, 0..1. */
VECTOR_LOOP void sample_line(float *restrict red, float *restrict green, float *restrict blue,
                             const uint8_t *restrict line, const int32_t *restrict at,
                             const float *restrict across, long count) {
    const float scale = 1.0f / 255.0f;
    for (long i = 0; i < count; i++) {
        const uint32_t left = LEFT_WORD(line, at[i]), right = RIGHT_WORD(line, at[i]);
        const float share = across[i];
        blue[i] = MIX(CHANNEL(left, 0), CHANNEL(right, 0), share) * scale;
        green[i] = MIX(CHANNEL(left, 8), CHANNEL(right, 8), share) * scale;
        red[i] = MIX(CHANNEL(left, 16), CHANNEL(right, 16), share) * scale;
    }
}

/* The same between two lines; down: share of the lower one, 0..1. */
VECTOR_LOOP void sample_lines(float *restrict red, float *restrict green, float *restrict blue,
                              const uint8_t *restrict upper, const uint8_t *restrict lower,
                              float down, const int32_t *restrict at,
                              const float *restrict across, long count) {
    const float scale = 1.0f / 255.0f;
    for (long i = 0; i < count; i++) {
        const uint32_t a = LEFT_WORD(upper, at[i]), b = RIGHT_WORD(upper, at[i]);
        const uint32_t c = LEFT_WORD(lower, at[i]), d = RIGHT_WORD(lower, at[i]);
        const float share = across[i];
        float above, below;
        above = MIX(CHANNEL(a, 0), CHANNEL(b, 0), share);
        below = MIX(CHANNEL(c, 0), CHANNEL(d, 0), share);
        blue[i] = MIX(above, below, down) * scale;
        above = MIX(CHANNEL(a, 8), CHANNEL(b, 8), share);
        below = MIX(CHANNEL(c, 8), CHANNEL(d, 8), share);
        green[i] = MIX(above, below, down) * scale;
        above = MIX(CHANNEL(a, 16), CHANNEL(b, 16), share);
        below = MIX(CHANNEL(c, 16), CHANNEL(d, 16), share);
        red[i] = MIX(above, below, down) * scale;
    }
}

/* The same in two steps, for lines that several output lines lie between: first across, in 0..255, */
VECTOR_LOOP void spread_line(float *restrict red, float *restrict green, float *restrict blue,
                             const uint8_t *restrict line, const int32_t *restrict at,
                             const float *restrict across, long count) {
    for (long i = 0; i < count; i++) {
        const uint32_t left = LEFT_WORD(line, at[i]), right = RIGHT_WORD(line, at[i]);
        const float share = across[i];
        blue[i] = MIX(CHANNEL(left, 0), CHANNEL(right, 0), share);
        green[i] = MIX(CHANNEL(left, 8), CHANNEL(right, 8), share);
        red[i] = MIX(CHANNEL(left, 16), CHANNEL(right, 16), share);
    }
}

/* then down, one channel at a time. */
VECTOR_LOOP void mix_lines(float *restrict mixed, const float *restrict above,
                           const float *restrict below, float down, long count) {
    const float scale = 1.0f / 255.0f;
    for (long i = 0; i < count; i++) {
        mixed[i] = MIX(above[i], below[i], down) * scale;
    }
}

/* A picture at its own resolution: nothing lies between. */
VECTOR_LOOP void scale_line(float *restrict red, float *restrict green, float *restrict blue,
                            const uint8_t *restrict line, long count) {
    const float scale = 1.0f / 255.0f;
    for (long i = 0; i < count; i++) {
        blue[i] = (float)line[3 * i] * scale;
        green[i] = (float)line[3 * i + 1] * scale;
        red[i] = (float)line[3 * i + 2] * scale;
    }
}

/* float32 in 0..1 to float16, rounded to nearest, ties to even. Below the smallest normal number
   2^-14, adding 1/2 leaves the rounded multiple of 2^-24, float16's step there, in the low bits. */
VECTOR_LOOP void to_half(uint16_t *restrict half, const float *restrict values, long count) {
    const float_bits *bits = (const float_bits *)values;
    for (long i = 0; i < count; i++) {
        const uint32_t normal = (bits[i] - 0x38000000u + 0xfffu + ((bits[i] >> 13) & 1)) >> 13;
        union { float value; uint32_t bits; } moved = {values[i] + 0.5f};
        const uint32_t small = moved.bits - 0x3f000000u;
        half[i] = (uint16_t)(bits[i] < 0x38800000u ? small : normal);
    }
}

#endif
