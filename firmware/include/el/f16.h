/* IEEE 754 binary16 and binary32, exactly one into the other and back to the nearest, ties to even.
 *
 * el_f16 is how kernels store a half. Where compiler and core have one it is the compiler's own type, so that a load is
 * one instruction and vector code takes the pointers as they are; elsewhere it is the 16 bits. Portable code never
 * computes with it: el_f16_load and el_f16_store give and take floats. All of them give the same bits. */
#ifndef EL_F16_H
#define EL_F16_H

#include <stdint.h>

typedef union {
    float f;
    uint32_t u;
} el_f32_bits;

/* Rebias the exponent, and scale subnormals by a float product. */
static inline float el_from_half(uint16_t half)
{
    el_f32_bits value = {.u = (uint32_t)(half & 0x7FFFu) << 13};
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
    const el_f32_bits value = {real};
    const uint32_t sign = value.u >> 16 & 0x8000u;
    const uint32_t size = value.u & 0x7FFFFFFFu;

    if (size > 0x7F800000u) {
        return (uint16_t)(sign | 0x7E00u);
    }
    if (size >= 0x477FF000u) { /* from half way between the largest half and the next power of two on */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (size < 0x38800000u) { /* subnormal: adding 0.5 leaves steps of 2^-24 and rounds the rest */
        const el_f32_bits sum = {.f = ((el_f32_bits){.u = size}).f + 0.5f};
        return (uint16_t)(sign | (sum.u - 0x3F000000u));
    }
    /* Half a step, or a hair less where the last kept bit is even; a carry goes into the exponent, where it belongs. */
    return (uint16_t)(sign | ((size - (112u << 23) + 0xFFFu + (size >> 13 & 1u)) >> 13));
}

/* value to one of the two halves around it, the farther from zero with the chance that its 24 bits `random` give: so
   that small updates of a weight are not lost, but on average right. Exact values stay. */
static inline uint16_t el_to_half_at_random(float real, uint32_t random)
{
    const el_f32_bits value = {real};
    const uint32_t sign = value.u >> 16 & 0x8000u;
    const uint32_t size = value.u & 0x7FFFFFFFu;

    if (size >= 0x477FE000u) { /* the largest half and beyond */
        return el_to_half(real);
    }
    if (size < 0x38800000u) { /* subnormal: whole steps of 2^-24, and the rest in 2^24 parts of one */
        const float steps = ((el_f32_bits){.u = size}).f * 16777216.0f;
        const uint32_t whole = (uint32_t)steps;
        const float rest = (steps - (float)whole) * 16777216.0f;
        return (uint16_t)(sign | (whole + ((float)(random & 0xFFFFFFu) < rest ? 1u : 0u)));
    }
    return (uint16_t)(sign | ((size - (112u << 23) + (random & 0x1FFFu)) >> 13));
}

/* Every FPU of a Cortex-M converts, whatever bit 1 of __ARM_FP says: GCC leaves it out for the single ones. */
#if defined(__ARM_FP16_FORMAT_IEEE) && defined(__ARM_FP)
typedef __fp16 el_f16;
#define EL_F16_NATIVE 1
#elif defined(__riscv_zfh) || defined(__riscv_zfhmin) || (defined(__F16C__) && defined(__FLT16_MANT_DIG__))
__extension__ typedef _Float16 el_f16;
#define EL_F16_NATIVE 1
#else
typedef uint16_t el_f16;
#define EL_F16_NATIVE 0
#endif

static inline float el_f16_load(const el_f16 *from)
{
#if EL_F16_NATIVE
    return (float)*from;
#elif defined(EL_XF16)
    float real;
    __asm(".insn i 0x07, 1, %0, %1\n\t.insn r 0x53, 0, 0x20, %0, %0, f2" : "=f"(real) : "m"(*from));
    return real;
#else
    return el_from_half(*from);
#endif
}

static inline void el_f16_store(el_f16 *to, float real)
{
#if EL_F16_NATIVE
    *to = (el_f16)real;
#elif defined(EL_XF16)
    float half;
    __asm(".insn r 0x53, 0, 0x22, %1, %2, f0\n\t.insn s 0x27, 1, %1, %0" : "=m"(*to), "=&f"(half) : "f"(real));
#else
    *to = el_to_half(real);
#endif
}

/* The same bits as a number of 16 bits, and back. */
static inline el_f16 el_f16_from_bits(uint16_t bits)
{
    const union {
        uint16_t u;
        el_f16 h;
    } both = {.u = bits};
    return both.h;
}

static inline int el_f16_is_finite(const el_f16 *from)
{
    const union {
        el_f16 h;
        uint16_t u;
    } both = {.h = *from};
    return (both.u & 0x7C00u) != 0x7C00u;
}

#endif
