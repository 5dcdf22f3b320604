/* Two halves in one float register: the instructions of Xfvec and Xf16, which no compiler knows, as functions; and the
 * same in portable C with the same bits, so that kernels written with them run anywhere.
 *
 * Every operation rounds once, to nearest with ties to even. The low half is the one at the lower address. */
#ifndef EL_XFVEC_PAIR_H
#define EL_XFVEC_PAIR_H

#include "el/f16.h"

#include "../inline.h"

/* Halves in memory are aligned to themselves only; the core loads such a pair in two cycles. */
typedef struct __attribute__((packed, aligned(2), may_alias)) {
    uint32_t bits;
} el_pair_memory;

#if defined(__riscv)

typedef float el_pair; /* a register of 32 bits, not a number */

EL_INLINE el_pair el_pair_load(const el_f16 *from)
{
    el_pair v;
    __asm("flw %0, %1" : "=f"(v) : "m"(*(const el_pair_memory *)(const void *)from));
    return v;
}

EL_INLINE void el_pair_store(el_f16 *to, el_pair v)
{
    __asm("fsw %1, %0" : "=m"(*(el_pair_memory *)(void *)to) : "f"(v));
}

/* One half, in the low lane; what is in the high one must not matter. */
EL_INLINE el_pair el_pair_one(const el_f16 *from)
{
    el_pair v;
    __asm(".insn i 0x07, 1, %0, %1" : "=f"(v) : "m"(*from));
    return v;
}

/* The low lane to memory */
EL_INLINE void el_pair_store_one(el_f16 *to, el_pair v)
{
    __asm(".insn s 0x27, 1, %1, %0" : "=m"(*to) : "f"(v));
}

EL_INLINE el_pair el_pair_zero(void)
{
    return 0.0f;
}

/* An instruction of two pairs, lane by lane; `of` makes the pair of two floats, and beside NaN the other number is the
 * lesser one. */
#define EL_PAIR_INSN(name, number)                                                                                     \
    EL_INLINE el_pair el_pair_##name(el_pair a, el_pair b)                                                             \
    {                                                                                                                  \
        el_pair v;                                                                                                     \
        __asm(".insn r 0x33, 2, " number ", %0, %1, %2" : "=f"(v) : "f"(a), "f"(b));                                   \
        return v;                                                                                                      \
    }
EL_PAIR_INSN(add, "0x41")
EL_PAIR_INSN(sub, "0x42")
EL_PAIR_INSN(mul, "0x43")
EL_PAIR_INSN(least, "0x45")
EL_PAIR_INSN(of, "0x58")
#undef EL_PAIR_INSN

/* acc + a * b, lane by lane; acc + a * the low lane of b */
#define EL_PAIR_MAC(name, lanes)                                                                                       \
    EL_INLINE el_pair el_pair_##name(el_pair acc, el_pair a, el_pair b)                                                \
    {                                                                                                                  \
        __asm(".insn r 0x33, " lanes ", 0x48, %0, %1, %2" : "+f"(acc) : "f"(a), "f"(b));                               \
        return acc;                                                                                                    \
    }
EL_PAIR_MAC(mac, "2")
EL_PAIR_MAC(mac_low, "6")
#undef EL_PAIR_MAC

EL_INLINE uint32_t el_pair_bits(el_pair v)
{
    uint32_t bits;
    __asm("fmv.x.w %0, %1" : "=r"(bits) : "f"(v));
    return bits;
}

EL_INLINE el_pair el_pair_from_bits(uint32_t bits)
{
    el_pair v;
    __asm("fmv.w.x %0, %1" : "=f"(v) : "r"(bits));
    return v;
}

/* The lowest bits of the lanes where a < b */
EL_INLINE uint32_t el_pair_less(el_pair a, el_pair b)
{
    uint32_t lanes;
    __asm(".insn r 0x33, 2, 0x52, %0, %1, %2" : "=r"(lanes) : "f"(a), "f"(b));
    return lanes;
}

EL_INLINE float el_pair_low(el_pair v)
{
    float x;
    __asm(".insn r 0x53, 0, 0x20, %0, %1, f2" : "=f"(x) : "f"(v));
    return x;
}

EL_INLINE float el_pair_high(el_pair v)
{
    return el_pair_low(el_pair_from_bits(el_pair_bits(v) >> 16));
}

/* The half next to zero of a float with these bits, which lies between normal halves */
EL_INLINE void el_half_store_cut(el_f16 *to, uint32_t bits)
{
    el_pair v;
    __asm("fmv.w.x %1, %2\n\t.insn r 0x53, 1, 0x22, %1, %1, f0\n\t.insn s 0x27, 1, %1, %0"
          : "=m"(*to), "=&f"(v)
          : "r"(bits));
}

#else

typedef uint32_t el_pair;

EL_INLINE el_pair el_pair_load(const el_f16 *from)
{
    return ((const el_pair_memory *)(const void *)from)->bits;
}

EL_INLINE void el_pair_store(el_f16 *to, el_pair v)
{
    ((el_pair_memory *)(void *)to)->bits = v;
}

EL_INLINE el_pair el_pair_one(const el_f16 *from)
{
    uint16_t bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return 0xFFFF0000u | bits;
}

EL_INLINE void el_pair_store_one(el_f16 *to, el_pair v)
{
    const uint16_t bits = (uint16_t)v;
    __builtin_memcpy(to, &bits, sizeof bits);
}

EL_INLINE el_pair el_pair_zero(void)
{
    return 0;
}

/* The only NaN that instructions make */
EL_INLINE uint32_t el_half_of(float x)
{
    return x == x ? el_to_half(x) : 0x7E00u;
}

/* c + a * b of halves, rounded once: a float holds the product; the sum is made odd where it is not exact, after which
 * rounding it again does no harm. */
EL_INLINE uint32_t el_half_mac(uint32_t c, uint32_t a, uint32_t b)
{
    const float product = el_from_half((uint16_t)a) * el_from_half((uint16_t)b);
    const float start = el_from_half((uint16_t)c);
    const double sum = (double)product + (double)start; /* exact, or of numbers too far apart to meet */
    union {
        float f;
        uint32_t u;
    } near = {(float)sum};
    if ((double)near.f != sum && (near.u & 1u) == 0 && (near.u & 0x7F800000u) != 0x7F800000u) {
        const int away = near.f < 0.0f ? sum < (double)near.f : sum > (double)near.f;
        near.u += away ? 1u : 0xFFFFFFFFu;
    }
    return el_half_of(near.f);
}

EL_INLINE el_pair el_pair_mac(el_pair acc, el_pair a, el_pair b)
{
    return el_half_mac(acc & 0xFFFFu, a & 0xFFFFu, b & 0xFFFFu) | el_half_mac(acc >> 16, a >> 16, b >> 16) << 16;
}

EL_INLINE el_pair el_pair_mac_low(el_pair acc, el_pair a, el_pair b)
{
    return el_pair_mac(acc, a, (b & 0xFFFFu) | b << 16);
}

EL_INLINE el_pair el_pair_add(el_pair a, el_pair b)
{
    return el_pair_mac(a, b, 0x3C003C00u); /* times one */
}

EL_INLINE el_pair el_pair_mul(el_pair a, el_pair b)
{
    return el_pair_mac(0x80008000u, a, b); /* from minus zero, which changes no sign */
}

EL_INLINE uint32_t el_pair_bits(el_pair v)
{
    return v;
}

EL_INLINE el_pair el_pair_from_bits(uint32_t bits)
{
    return bits;
}

EL_INLINE uint32_t el_pair_less(el_pair a, el_pair b)
{
    const uint32_t low = el_from_half((uint16_t)a) < el_from_half((uint16_t)b);
    const uint32_t high = el_from_half((uint16_t)(a >> 16)) < el_from_half((uint16_t)(b >> 16));
    return low | high << 16;
}

EL_INLINE uint32_t el_half_least(uint32_t a, uint32_t b)
{
    const float x = el_from_half((uint16_t)a);
    const float y = el_from_half((uint16_t)b);
    return x < y || y != y || (x == y && (a & 0x8000u) != 0) ? a : b;
}

EL_INLINE el_pair el_pair_least(el_pair a, el_pair b)
{
    return el_half_least(a & 0xFFFFu, b & 0xFFFFu) | el_half_least(a >> 16, b >> 16) << 16;
}

EL_INLINE el_pair el_pair_sub(el_pair a, el_pair b)
{
    return el_pair_mac(a, b, 0xBC00BC00u); /* times minus one */
}

EL_INLINE void el_half_store_cut(el_f16 *to, uint32_t bits)
{
    const uint32_t size = bits & 0x7FFFFFFFu;
    const uint16_t half = (uint16_t)((bits >> 16 & 0x8000u) | (size - (112u << 23)) >> 13); /* a normal one */
    __builtin_memcpy(to, &half, sizeof half);
}

EL_INLINE float el_pair_low(el_pair v)
{
    return el_from_half((uint16_t)v);
}

EL_INLINE float el_pair_high(el_pair v)
{
    return el_from_half((uint16_t)(v >> 16));
}

EL_INLINE el_pair el_pair_of(float low, float high)
{
    return el_half_of(low) | el_half_of(high) << 16;
}

#endif

/* One half as a float, and back */
EL_INLINE float el_half_load(const el_f16 *from)
{
    return el_pair_low(el_pair_one(from));
}

EL_INLINE void el_half_store(el_f16 *to, float x)
{
    el_pair_store_one(to, el_pair_of(x, x));
}

#endif
