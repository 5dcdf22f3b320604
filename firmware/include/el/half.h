/* IEEE 754 binary16 and binary32, exactly one into the other and back to the nearest, ties to even. */
#ifndef EL_HALF_H
#define EL_HALF_H

#include <stdint.h>

typedef union {
    float f;
    uint32_t u;
} el_bits;

/* Rebias the exponent, and scale subnormals by a float product. */
static inline float el_from_half(uint16_t half)
{
    el_bits value = {.u = (uint32_t)(half & 0x7FFFu) << 13};
    const uint32_t exponent = half & 0x7C00u;

    if (exponent == 0x7C00u) {
        value.u += (255u - 31u) << 23;
    } else if (exponent != 0) {
        value.u += (127u - 15u) << 23;
    } else {
        value.f = (float)(half & 0x3FFu) * 5.9604644775390625e-8f; /* 2^-24 */
    }
    value.u |= (uint32_t)(half & 0x8000u) << 16;
    return value.f;
}

/* What is too large becomes infinity, a NaN stays one. */
static inline uint16_t el_to_half(float real)
{
    const el_bits value = {real};
    const uint32_t sign = value.u >> 16 & 0x8000u;
    const uint32_t size = value.u & 0x7FFFFFFFu;

    if (size > 0x7F800000u) {
        return (uint16_t)(sign | 0x7E00u);
    }
    if (size >= 0x477FF000u) { /* from half way between the largest half and the next power of two on */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (size < 0x38800000u) { /* subnormal: adding 0.5 leaves steps of 2^-24 and rounds the rest */
        const el_bits sum = {.f = ((el_bits){.u = size}).f + 0.5f};
        return (uint16_t)(sign | (sum.u - 0x3F000000u));
    }
    /* Half a step, or a hair less where the last kept bit is even; a carry goes into the exponent, where it belongs. */
    return (uint16_t)(sign | ((size - (112u << 23) + 0xFFFu + (size >> 13 & 1u)) >> 13));
}

#endif
