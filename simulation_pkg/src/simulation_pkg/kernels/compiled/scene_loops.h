/* Loops over lines of a rendered picture. A pixel of it is a word: blue, green, red from the lowest
   byte on; the highest is a sprite's coverage, else nothing.

   Integer arithmetic follows OpenCV's, whose results the twin has: positions in a texture are
   rounded to 1/32 of a pixel, so that bilinear weights are products of two of 0..32. Products of two
   channels at once lie side by side in the two halves of a word. */
#ifndef SIMULATION_SCENE_LOOPS_H
#define SIMULATION_SCENE_LOOPS_H

#include "dispatch.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pixels are read as little-endian words"
#endif

typedef uint32_t any_word __attribute__((aligned(1), may_alias));

#define WORD(bytes, at) (*(const any_word *)((bytes) + (at)))
#define EVEN 0x00ff00ffu
#define FARTHEST 1048575.0 /* positions end at 2^15 pixels, in 1/32 of a pixel */
/* Adding and taking away 1.5 x 2^52 (2^23) leaves the nearest whole number, ties to even. */
#define TO_WHOLE 6755399441055744.0
#define NEAREST(value) (((value) + TO_WHOLE) - TO_WHOLE)
#define NEARESTF(value) (((value) + 12582912.0f) - 12582912.0f)

/* 32 divided by the depth of each pixel, which goes on by `step`; 0 on the horizon. */
VECTOR_LOOP void divide_depths(double *restrict inverse, double start, double step, int count) {
    for (int i = 0; i < count; i++) {
        const double depth = start + step * (double)i;
        inverse[i] = depth != 0.0 ? 32.0 / depth : 0.0;
    }
}

/* One coordinate of each pixel in a texture [1/32 px]. */
VECTOR_LOOP void locate(int32_t *restrict at, const double *restrict inverse, double start,
                        double step, int count) {
    for (int i = 0; i < count; i++) {
        double place = (start + step * (double)i) * inverse[i];
        place = place < -FARTHEST ? -FARTHEST : place;
        place = place > FARTHEST ? FARTHEST : place;
        at[i] = (int32_t)NEAREST(place);
    }
}

/* The same where none is farther than FARTHEST: the number is in the low half of the sum's bits. */
VECTOR_LOOP void locate_near(int32_t *restrict at, const double *restrict inverse, double start,
                             double step, int count) {
    for (int i = 0; i < count; i++) {
        union {
            double value;
            int64_t bits;
        } place = {(start + step * (double)i) * inverse[i] + TO_WHOLE};
        at[i] = (int32_t)place.bits;
    }
}

/* a .. b by 32nds, in both halves of a word: at most 255 x 32 each. */
#define ACROSS(a, b, share) (((a) << 5) + (share) * ((b) - (a)))
/* The low and the high half between two lines, rounded. */
#define DOWN_LOW(upper, lower, share) \
    (((((upper) & 0xffffu) << 5) + (share) * (((lower) & 0xffffu) - ((upper) & 0xffffu)) + 512) >> 10)
#define DOWN_HIGH(upper, lower, share) \
    (((((upper) >> 16) << 5) + (share) * (((lower) >> 16) - ((upper) >> 16)) + 512) >> 10)

/* A texture of BGR bytes that repeats after `mask` + 1 pixels; a line, and a column, more is there,
   and three bytes behind the last one. */
VECTOR_LOOP void sample_bgr(uint32_t *restrict pixels, const uint8_t *restrict texture,
                            int32_t stride, int32_t mask, const int32_t *restrict across,
                            const int32_t *restrict down, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t right = (uint32_t)across[i] & 31, below = (uint32_t)down[i] & 31;
        const int32_t at = ((down[i] >> 5) & mask) * stride + ((across[i] >> 5) & mask) * 3;
        const uint32_t a = WORD(texture, at), b = WORD(texture, at + 3);
        const uint32_t c = WORD(texture, at + stride), d = WORD(texture, at + stride + 3);
        const uint32_t upper = ACROSS(a & EVEN, b & EVEN, right);
        const uint32_t lower = ACROSS(c & EVEN, d & EVEN, right);
        const uint32_t upper_green = ACROSS((a >> 8) & 255, (b >> 8) & 255, right);
        const uint32_t lower_green = ACROSS((c >> 8) & 255, (d >> 8) & 255, right);
        pixels[i] = DOWN_LOW(upper, lower, below) | DOWN_LOW(upper_green, lower_green, below) << 8 |
                    DOWN_HIGH(upper, lower, below) << 16;
    }
}

/* The same of a texture of grey bytes. */
VECTOR_LOOP void sample_grey(uint8_t *restrict levels, const uint8_t *restrict texture,
                             int32_t stride, int32_t mask, const int32_t *restrict across,
                             const int32_t *restrict down, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t right = (uint32_t)across[i] & 31, below = (uint32_t)down[i] & 31;
        const int32_t at = ((down[i] >> 5) & mask) * stride + ((across[i] >> 5) & mask);
        const uint32_t above = WORD(texture, at), under = WORD(texture, at + stride);
        const uint32_t upper = ACROSS(above & 255, (above >> 8) & 255, right);
        const uint32_t lower = ACROSS(under & 255, (under >> 8) & 255, right);
        levels[i] = (uint8_t)DOWN_LOW(upper, lower, below);
    }
}

/* A sprite of words with two transparent ones on each side; width, height: without them. */
VECTOR_LOOP void sample_sprite(uint32_t *restrict pixels, const uint32_t *restrict sprite,
                               int32_t width, int32_t height, const int32_t *restrict across,
                               const int32_t *restrict down, int count) {
    const int32_t stride = width + 4;
    for (int i = 0; i < count; i++) {
        const uint32_t right = (uint32_t)across[i] & 31, below = (uint32_t)down[i] & 31;
        int32_t x = across[i] >> 5, y = down[i] >> 5;
        x = x < -2 ? -2 : x;
        x = x > width ? width : x;
        y = y < -2 ? -2 : y;
        y = y > height ? height : y;
        const int32_t at = (y + 2) * stride + x + 2;
        const uint32_t a = sprite[at], b = sprite[at + 1];
        const uint32_t c = sprite[at + stride], d = sprite[at + stride + 1];
        const uint32_t upper = ACROSS(a & EVEN, b & EVEN, right);
        const uint32_t lower = ACROSS(c & EVEN, d & EVEN, right);
        const uint32_t upper_odd = ACROSS((a >> 8) & EVEN, (b >> 8) & EVEN, right);
        const uint32_t lower_odd = ACROSS((c >> 8) & EVEN, (d >> 8) & EVEN, right);
        pixels[i] = DOWN_LOW(upper, lower, below) | DOWN_LOW(upper_odd, lower_odd, below) << 8 |
                    DOWN_HIGH(upper, lower, below) << 16 |
                    DOWN_HIGH(upper_odd, lower_odd, below) << 24;
    }
}

/* Two grains around 128 on top of each other. */
VECTOR_LOOP void add_around_128(uint8_t *restrict levels, const uint8_t *restrict more, long count) {
    for (long i = 0; i < count; i++) {
        int32_t sum = (int32_t)levels[i] + (int32_t)more[i] - 128;
        sum = sum < 0 ? 0 : sum;
        levels[i] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}

/* a x b / 255 of two products in a word, rounded. */
#define BY_255(products) (((products) + 0x00800080u + ((((products) + 0x00800080u) >> 8) & EVEN)) >> 8 & EVEN)
/* a x b / 128, rounded, ties to even, at most 255. */
static inline uint32_t by_128(uint32_t product) {
    const uint32_t quotient = (product + 63 + ((product >> 7) & 1)) >> 7;
    return quotient > 255 ? 255 : quotient;
}

/* Less `share` of the light where something covers it. */
VECTOR_LOOP void darken_line(uint8_t *restrict levels, const uint8_t *restrict coverage, float share,
                             int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t weight = (uint32_t)(int32_t)NEARESTF((float)coverage[i] * share);
        levels[i] = (uint8_t)BY_255(levels[i] * (255 - weight));
    }
}

VECTOR_LOOP void multiply_levels(uint8_t *restrict levels, const uint8_t *restrict gain, int count) {
    for (int i = 0; i < count; i++)
        levels[i] = (uint8_t)by_128((uint32_t)levels[i] * gain[i]);
}

VECTOR_LOOP void light_line(uint32_t *restrict lit, const uint32_t *restrict pixels,
                            const uint8_t *restrict gain, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t pixel = pixels[i], factor = gain[i];
        lit[i] = by_128((pixel & 255) * factor) | by_128(((pixel >> 8) & 255) * factor) << 8 |
                 by_128(((pixel >> 16) & 255) * factor) << 16;
    }
}

/* One colour over a line by coverage times `share`, 0..1. */
VECTOR_LOOP void tint_line(uint32_t *restrict pixels, const uint8_t *restrict coverage, float share,
                           uint32_t colour, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t weight = (uint32_t)(int32_t)NEARESTF((float)coverage[i] * share);
        const uint32_t rest = 255 - weight;
        const uint32_t even = BY_255((pixels[i] & EVEN) * rest) + BY_255((colour & EVEN) * weight);
        const uint32_t odd = BY_255(((pixels[i] >> 8) & 255) * rest) +
                             BY_255(((colour >> 8) & 255) * weight);
        pixels[i] = even | odd << 8;
    }
}

/* Premultiplied pixels over a line; no channel of them exceeds their coverage. */
VECTOR_LOOP void blend_line(uint32_t *restrict pixels, const uint32_t *restrict over, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t rest = 255 - (over[i] >> 24);
        const uint32_t even = (over[i] & EVEN) + BY_255((pixels[i] & EVEN) * rest);
        const uint32_t odd = ((over[i] >> 8) & 255) + BY_255(((pixels[i] >> 8) & 255) * rest);
        pixels[i] = even | odd << 8;
    }
}

VECTOR_LOOP void mark_line(uint16_t *restrict ids, const uint32_t *restrict over, uint32_t threshold,
                           uint16_t id, int count) {
    for (int i = 0; i < count; i++)
        ids[i] = (over[i] >> 24) >= threshold ? id : ids[i];
}

static inline uint32_t brighten(uint32_t level, float gain) {
    const int32_t changed = (int32_t)NEARESTF((float)(int32_t)level * gain);
    return (uint32_t)(changed > 255 ? 255 : changed);
}

VECTOR_LOOP void tone_line(uint32_t *restrict pixels, float blue, float green, float red, int count) {
    for (int i = 0; i < count; i++) {
        const uint32_t pixel = pixels[i];
        pixels[i] = brighten(pixel & 255, blue) | brighten((pixel >> 8) & 255, green) << 8 |
                    brighten((pixel >> 16) & 255, red) << 16;
    }
}

VECTOR_LOOP void add_bytes(uint16_t *restrict sums, const uint8_t *restrict bytes, int count) {
    for (int i = 0; i < count; i++)
        sums[i] = (uint16_t)(sums[i] + bytes[i]);
}

VECTOR_LOOP void scale_sums(uint8_t *restrict bytes, const uint16_t *restrict sums, float share,
                            int count) {
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(int32_t)NEARESTF((float)(int32_t)sums[i] * share);
}

/* Words to BGR bytes: each store's fourth byte is overwritten by the next pixel. */
static void pack_line(uint8_t *restrict bgr, const uint32_t *restrict pixels, int count) {
    for (int i = 0; i < count - 1; i++)
        *(any_word *)(bgr + 3 * i) = pixels[i];
    for (int shift = 0; shift < 3; shift++)
        bgr[3 * (count - 1) + shift] = (uint8_t)(pixels[count - 1] >> (8 * shift));
}

#endif
