/* Fixed-point arithmetic of int8 kernels, bit for bit what TensorFlow Lite for Microcontrollers' reference kernels
 * compute. edgelearn/ops/fixed_point.py has the same functions in numpy and makes multipliers and shifts at compile
 * time: a factor is multiplier * 2^(shift - 31), the multiplier never negative, the shift at most 30. */
#ifndef EL_QUANT_H
#define EL_QUANT_H

#include <stdint.h>

/* a * b / 2^31 to the nearest integer, ties up. Overflows only where both are -2^31, which no caller has. */
static inline int32_t el_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* x / 2^n to the nearest integer, ties away from zero; n from 0 to 31. */
static inline int32_t el_rounding_shift(int32_t x, int32_t n)
{
    const int32_t mask = (int32_t)((1u << n) - 1u);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0) ? 1 : 0);
}

/* x times a factor. A left shift that leaves 32 bits wraps. */
static inline int32_t el_rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift > 0) {
        return el_high_mul((int32_t)((uint32_t)x << shift), multiplier);
    }
    return el_rounding_shift(el_high_mul(x, multiplier), -shift);
}

/* zero + x within [min, max], which lie in int8; never leaves 32 bits on the way. */
static inline int8_t el_to_s8(int32_t x, int32_t zero, int32_t min, int32_t max)
{
    return (int8_t)(x < min - zero ? min : (x > max - zero ? max : zero + x));
}

/* zero + ratio to the nearest integer, ties away from zero or, if `even`, to the even one. A NaN becomes zero. */
static inline int8_t el_round_s8(float ratio, int32_t zero, int32_t even)
{
    if (!(ratio < 512.0f)) { /* also NaN */
        ratio = ratio == ratio ? 512.0f : 0.0f;
    }
    ratio = ratio < -512.0f ? -512.0f : ratio;
    int32_t q = (int32_t)ratio;
    const float rest = ratio - (float)q; /* exact */
    const int tie = rest == 0.5f || rest == -0.5f;
    if (!(even && tie && q % 2 == 0)) {
        q += rest >= 0.5f ? 1 : (rest <= -0.5f ? -1 : 0);
    }
    return el_to_s8(q, zero, INT8_MIN, INT8_MAX);
}

#endif
