/* The instructions of Arm's DSP extension (Armv7E-M, Armv8-M) that int8 kernels use: two 16-bit products at a time,
 * bytes widened in pairs, and the upper half of a rounded product. */
#ifndef EL_DSP_H
#define EL_DSP_H

#include "../inline.h"

/* a's and b's lower halves multiplied, and their upper halves; both added to c. */
EL_INLINE int32_t el_smlad(uint32_t a, uint32_t b, int32_t c)
{
    int32_t r;
    __asm__("smlad %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(c));
    return r;
}

/* One product of halves: B for the lower, T for the upper. */
#define EL_SMLA(halves)                                                                                                \
    EL_INLINE int32_t el_smla##halves(uint32_t a, uint32_t b, int32_t c)                                               \
    {                                                                                                                  \
        int32_t r;                                                                                                     \
        __asm__("smla" #halves " %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(c));                                  \
        return r;                                                                                                      \
    }
EL_SMLA(bb)
EL_SMLA(bt)
EL_SMLA(tt)
#undef EL_SMLA

/* Bytes 0 and 2 of a, or 1 and 3, widened and added to the halves of b. */
EL_INLINE uint32_t el_widen_even(uint32_t b, uint32_t a)
{
    uint32_t r;
    __asm__("sxtab16 %0, %1, %2" : "=r"(r) : "r"(b), "r"(a));
    return r;
}

EL_INLINE uint32_t el_widen_odd(uint32_t b, uint32_t a)
{
    uint32_t r;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(r) : "r"(b), "r"(a));
    return r;
}

/* Four bytes from any address. */
EL_INLINE uint32_t el_word(const int8_t *from)
{
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

EL_INLINE void el_put_word(int8_t *to, uint32_t word)
{
    __builtin_memcpy(to, &word, sizeof word);
}

/* -zero in both halves, for el_widen_*. */
EL_INLINE uint32_t el_minus(int32_t zero)
{
    return (uint32_t)(uint16_t)-zero * 0x10001u;
}

#define EL_ROUNDED_PRODUCT
EL_INLINE int32_t el_rounded_product(int32_t x, int32_t m, int32_t a)
{
    int32_t r;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(m), "r"(a));
    return r;
}

#define EL_CLAMP_INT8
EL_INLINE int32_t el_clamp_int8(int32_t x)
{
    int32_t r;
    __asm__("ssat %0, #8, %1" : "=r"(r) : "r"(x));
    return r;
}

#endif
