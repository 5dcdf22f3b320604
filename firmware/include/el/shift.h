/* Weights that are signed powers of two, sgn * 2^(S - k), packed N bits each without gaps, lowest bits first: the
 * exponent S below the sign. A product adds S - k to the other factor's exponent. */
#ifndef EL_SHIFT_H
#define EL_SHIFT_H

#include "el/f16.h"

#include <stdint.h>

/* Weight `index` of a packed tensor. */
static inline uint32_t el_shift_code(const uint8_t *w, int32_t bits, int32_t index)
{
    const uint32_t at = (uint32_t)index * (uint32_t)bits;
    uint32_t word = w[at >> 3];

    if ((at & 7u) + (uint32_t)bits > 8u) {
        word |= (uint32_t)w[(at >> 3) + 1u] << 8;
    }
    return word >> (at & 7u) & ((1u << bits) - 1u);
}

/* Eight codes from as many bytes as a code has bits. */
static inline uint32_t el_eight_codes(const uint8_t *w, int32_t bits)
{
    uint32_t word = w[0] | (uint32_t)w[1] << 8;
    if (bits > 2) {
        word |= (uint32_t)w[2] << 16;
    }
    return bits > 3 ? word | (uint32_t)w[3] << 24 : word;
}

/* x * 2^n as a float product gives it, for -126 <= n <= 127. */
static inline float el_scaled(float x, int32_t n)
{
    const el_f32_bits power = {.u = (uint32_t)(n + 127) << 23};
    return x * power.f;
}

/* x times a weight. Where x or the result is zero, subnormal, infinite or none, exponents do not add up; a product is
 * what is meant there, and it is rare. */
static inline float el_shift_times(float x, uint32_t code, int32_t bits, int32_t k)
{
    const uint32_t sign = code >> (bits - 1) << 31;
    const int32_t n = (int32_t)(code & ((1u << (bits - 1)) - 1u)) - k;
    el_f32_bits value = {x};
    const int32_t exponent = (int32_t)(value.u >> 23 & 255u);

    if (exponent == 0 || exponent == 255 || exponent + n <= 0 || exponent + n >= 255) {
        value.f = el_scaled(x, n);
    } else {
        value.u += (uint32_t)n << 23;
    }
    value.u ^= sign;
    return value.f;
}

/* The same for an integer and a weight sgn * 2^S. */
static inline int32_t el_shift_left(int32_t x, uint32_t code, int32_t bits)
{
    const uint32_t shifted = (uint32_t)x << (code & ((1u << (bits - 1)) - 1u));
    return (int32_t)(code >> (bits - 1) != 0 ? 0u - shifted : shifted);
}

#endif
