/* Loops over pictures of smoke and mist; the order of the operations is that of the twin. */
#ifndef SIMULATION_HAZE_LOOPS_H
#define SIMULATION_HAZE_LOOPS_H

#include "dispatch.h"

/* Less than `least` of a density is nothing; the sign is for the exponential that follows. */
VECTOR_LOOP void thin_line(float *restrict exponents, const float *restrict density,
                           const float *restrict factors, float least, long count) {
    for (long i = 0; i < count; i++) {
        const float above = density[i] * factors[i] - least;
        exponents[i] = above > 0.0f ? -above : -0.0f;
    }
}

/* Premultiplied BGRA of one grey; `through`: the share of what is behind that is seen. */
VECTOR_LOOP void colour_line(uint32_t *restrict pixels, const float *restrict through,
                             const float *restrict relief, float most, float blue, float green,
                             float red, long count) {
    for (long i = 0; i < count; i++) {
        const float alpha = most * (1.0f - through[i]);
        const float light = 0.85f + 0.3f * relief[i];
        const float b = blue * light, g = green * light, r = red * light;
        const float covered = alpha * 255.0f;
        int32_t coverage = (int32_t)covered;
        coverage += (float)coverage < covered;
        pixels[i] = (uint32_t)(int32_t)(alpha * (b < 255.0f ? b : 255.0f)) |
                    (uint32_t)(int32_t)(alpha * (g < 255.0f ? g : 255.0f)) << 8 |
                    (uint32_t)(int32_t)(alpha * (r < 255.0f ? r : 255.0f)) << 16 |
                    (uint32_t)coverage << 24;
    }
}

#endif
