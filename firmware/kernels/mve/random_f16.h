/* Halves that are rounded at random: to the one above as often as the value is near it. */
#ifndef EL_MVE_RANDOM_F16_H
#define EL_MVE_RANDOM_F16_H

#include "f16.h"

/* The bits of kernels/ref/steps_f16.h: an element's number, times a constant, is what they are made of. */
#define EL_UPDATE_FACTOR 0x9E3779B9u
#define EL_SALT_FACTOR 0x85EBCA6Bu
#define EL_NUMBER_FACTOR 0xC2B2AE35u

EL_INLINE uint32x4_t el_random_bits(uint32x4_t x)
{
    x = vmulq_n_u32(veorq_u32(x, vshrq_n_u32(x, 16)), 0x7FEB352Du);
    x = vmulq_n_u32(veorq_u32(x, vshrq_n_u32(x, 15)), 0x846CA68Bu);
    return veorq_u32(x, vshrq_n_u32(x, 16));
}

/* Floats of 0x38800000 to 0x477FDFFF and their negatives are normal halves, of which el_to_half_at_random() (el/f16.h)
 * takes the upper bits after it has added 13 random ones. */
#define EL_NORMAL 0x38800000u
#define EL_NORMALS (0x477FE000u - EL_NORMAL)
#define EL_LEAST_NORMAL 0x0400u /* as a half */

/* What the random bits of elements 0, 2, 4 and 6 are made of; element i + 1 has EL_NUMBER_FACTOR more. */
EL_INLINE uint32x4_t el_first_bits(const float *scaling, int32_t salt)
{
    const uint32_t first = (uint32_t)scaling[EL_UPDATES] * EL_UPDATE_FACTOR ^ (uint32_t)salt * EL_SALT_FACTOR;
    return vaddq_n_u32(vmulq_n_u32(vidupq_n_u32(0, 2), EL_NUMBER_FACTOR), first);
}

/* Up to eight values, whatever they are. */
static void el_store_each_at_random(int32_t count, el_sum sum, uint32x4_t x, el_f16 *w)
{
    float value[2][4];
    uint32_t random[2][4];
    vst1q_f32(value[0], sum.even);
    vst1q_f32(value[1], sum.odd);
    vst1q_u32(random[0], el_random_bits(x));
    vst1q_u32(random[1], el_random_bits(vaddq_n_u32(x, EL_NUMBER_FACTOR)));
    for (int32_t i = 0; i < count && i < EL_LANES; i++) {
        w[i] = el_f16_from_bits(el_to_half_at_random(value[i % 2][i / 2], random[i % 2][i / 2]));
    }
}

/* Twice how far a value is beyond the least normal half, its sign aside. */
EL_INLINE uint32x4_t el_beyond_normal(float32x4_t value)
{
    return vaddq_n_u32(vshlq_n_u32(vreinterpretq_u32_f32(value), 1), 0u - 2u * EL_NORMAL);
}

/* The half of a normal value in the upper half of its word, less by the least normal one. */
EL_INLINE uint32x4_t el_rounded_at_random(float32x4_t value, uint32x4_t beyond, uint32x4_t x)
{
    const uint32x4_t random = vandq_u32(el_random_bits(x), vdupq_n_u32(0x1FFF));
    const uint32x4_t sum = vaddq_u32(beyond, vaddq_u32(random, random));
    return vsriq_n_u32(vreinterpretq_u32_f32(value), vshlq_n_u32(sum, 3), 1);
}

/* Eight values or, at the end, the `count` that are left. */
EL_INLINE void el_store_at_random(int32_t count, el_sum sum, uint32x4_t x, el_f16 *w)
{
    const uint32x4_t even = el_beyond_normal(sum.even);
    const uint32x4_t odd = el_beyond_normal(sum.odd);
    if (count < EL_LANES || vcmpcsq_n_u32(vmaxq_u32(even, odd), 2u * EL_NORMALS) != 0) {
        el_store_each_at_random(count, sum, x, w);
        return;
    }
    const uint32x4_t lower = el_rounded_at_random(sum.even, even, x);
    const uint32x4_t upper = el_rounded_at_random(sum.odd, odd, vaddq_n_u32(x, EL_NUMBER_FACTOR));
    const uint16x8_t halves = vreinterpretq_u16_u32(vsriq_n_u32(upper, lower, 16));
    vst1q_f16(w, vreinterpretq_f16_u16(vaddq_n_u16(halves, EL_LEAST_NORMAL)));
}

#endif
