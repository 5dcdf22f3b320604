/* Piecewise affine products of floats, for cores without an FPU: the bit patterns of the magnitudes are added, which
 * adds exponents and lets fractions carry into them, and signs are combined. (1 + f) 2^e times (1 + g) 2^h is (1 + f +
 * g) 2^(e+h), or 2 (f + g) 2^(e+h) where f + g >= 1: up to a ninth too small, exact for powers of two. Source: A.
 * Kosson, M. Jaggi, "Multiplication-Free Transformer Training via Piecewise Affine Operations", NeurIPS 2023.
 *
 * What is below 2^-126 counts as zero, and is flushed to it; what is too large becomes infinite. NaN, infinities and
 * zeros with them are those of IEEE 754. A product that is zero has its sign.
 *
 * Sums of such products are sums of floats, each rounded to the nearest, ties to even. Between additions a sum stays
 * apart in fraction and exponent, which a core without an FPU would have to unpack and pack every time. A sum that is
 * zero is +0. */
#ifndef EL_PAM_H
#define EL_PAM_H

#include "el/math.h"

#define EL_PAM_SIGN 0x80000000u
#define EL_PAM_ONE 0x3f800000u   /* 1.0 */
#define EL_PAM_LEAST 0x00800000u /* 2^-126 */
#define EL_PAM_SPAN 0x7f000000u  /* bit patterns from there to infinity */
#define EL_PAM_CARRY 0x007fffffu /* the fraction */

/* Whether a magnitude is a normal number. */
static inline int el_pam_normal(uint32_t magnitude)
{
    return magnitude - EL_PAM_LEAST < EL_PAM_SPAN;
}

static inline int el_pam_finite(uint32_t magnitude)
{
    return magnitude < EL_PAM_LEAST + EL_PAM_SPAN;
}

/* Rare: the product where a factor or the result is no normal number, of magnitudes and the sign of the result. */
static __attribute__((noinline, unused)) float el_pam_edge(uint32_t a, uint32_t b, uint32_t sign)
{
    const uint32_t infinite = EL_PAM_LEAST + EL_PAM_SPAN;
    const uint32_t large = a > b ? a : b;
    const uint32_t small = a > b ? b : a;

    if (large > infinite || (large == infinite && small < EL_PAM_LEAST)) {
        return EL_NAN;
    }
    if (large == infinite || (small >= EL_PAM_LEAST && a + b >= EL_PAM_ONE + infinite)) {
        return el_from_bits(infinite | sign);
    }
    return el_from_bits(sign);
}

/* a times b. */
static inline float el_pam(float a, float b)
{
    const uint32_t x = el_bits(a);
    const uint32_t y = el_bits(b);
    const uint32_t m = x & ~EL_PAM_SIGN;
    const uint32_t n = y & ~EL_PAM_SIGN;
    const uint32_t sign = (x ^ y) & EL_PAM_SIGN;
    const uint32_t product = m + n - EL_PAM_ONE;

    if (__builtin_expect(el_pam_normal(m) && el_pam_normal(n) && el_pam_normal(product), 1)) {
        return el_from_bits(product | sign);
    }
    return el_pam_edge(m, n, sign);
}

/* The derivative of el_pam(a, b) by a: b's power of two and sign, doubled where the fractions carry. Between pieces,
 * the one that a larger |a| is on. */
static inline float el_pam_slope(float a, float b)
{
    const uint32_t y = el_bits(b);
    const uint32_t n = y & ~EL_PAM_SIGN;

    if (!el_pam_normal(n)) {
        return n < EL_PAM_LEAST ? el_from_bits(y & EL_PAM_SIGN) : b;
    }
    return el_from_bits(((n + (el_bits(a) & EL_PAM_CARRY)) & ~EL_PAM_CARRY) | (y & EL_PAM_SIGN));
}

/* m * 2^(e - 155), m having 24 bits from its bit 28 (or one alone, bit 29) down. With EL_PAM_STUCK in the place of e, m
 * are the bits of an infinity or a NaN; a zero's exponent is far below any other. */
typedef struct {
    int32_t m, e;
} el_pam_sum;

#define EL_PAM_STUCK 4096
#define EL_PAM_NONE (-4096)
#define EL_PAM_GUARD 5 /* bits of m below the last one of a float */

static inline el_pam_sum el_pam_start(float x)
{
    const uint32_t u = el_bits(x);
    const uint32_t magnitude = u & ~EL_PAM_SIGN;
    el_pam_sum s = {0, EL_PAM_NONE};

    if (el_pam_normal(magnitude)) {
        s.m = (int32_t)(((u & EL_PAM_CARRY) | EL_PAM_LEAST) << EL_PAM_GUARD);
        s.m = (u & EL_PAM_SIGN) != 0u ? -s.m : s.m;
        s.e = (int32_t)(magnitude >> 23);
    } else if (magnitude >= EL_PAM_LEAST) {
        s.m = (int32_t)u;
        s.e = EL_PAM_STUCK;
    }
    return s;
}

static inline float el_pam_end(const el_pam_sum *s)
{
    const uint32_t sign = (uint32_t)s->m & EL_PAM_SIGN;
    const uint32_t size = (uint32_t)(s->m < 0 ? -s->m : s->m) >> EL_PAM_GUARD;

    if (s->e == EL_PAM_STUCK) {
        return el_from_bits((uint32_t)s->m);
    }
    return s->m == 0 ? 0.0f : el_from_bits((((uint32_t)(s->e - 1) << 23) + size) | sign);
}

/* v / 2^n, 0 <= n < 32, whose last bit tells whether any was lost. */
static inline int32_t el_pam_shifted(int32_t v, int32_t n)
{
    return v >> n | (((uint32_t)v << (31 - n) << 1) != 0u);
}

/* s += t * 2^(e - 155), 24 bits from bit 28 on. */
static inline __attribute__((always_inline)) void el_pam_plus(el_pam_sum *s, int32_t t, int32_t e)
{
    const int32_t above = e - s->e;

    if (above > 0) {
        t = above < 28 ? t + el_pam_shifted(s->m, above) : t;
    } else {
        if (above < -27) {
            return;
        }
        t = s->m + el_pam_shifted(t, -above);
        e = s->e;
    }
    const uint32_t size = (uint32_t)(t ^ t >> 31);
    if (size >= 1u << 29) {
        t = t >> 1 | (t & 1);
        e++;
    } else if (size < 1u << 28) {
        const int32_t up = __builtin_clz(size | 1u) - 3;
        t = (int32_t)((uint32_t)t << up);
        e -= up;
        if (t == 0 || e <= 0) {
            s->m = 0;
            s->e = EL_PAM_NONE;
            return;
        }
    }
    s->m = (t + 15 + (t >> EL_PAM_GUARD & 1)) & -(1 << EL_PAM_GUARD);
    s->e = e;
    if (e >= 255) {
        s->m = (int32_t)((EL_PAM_LEAST + EL_PAM_SPAN) | ((uint32_t)t & EL_PAM_SIGN));
        s->e = EL_PAM_STUCK;
    }
}

/* Rare: s += x, whatever x is. */
static __attribute__((noinline, unused)) el_pam_sum el_pam_odd(el_pam_sum s, float x)
{
    const el_pam_sum term = el_pam_start(x);

    if (term.e == EL_PAM_STUCK) {
        return el_pam_start(el_pam_end(&s) + x);
    }
    if (term.e != EL_PAM_NONE) {
        el_pam_plus(&s, term.m, term.e);
    }
    return s;
}

/* s += x */
static inline void el_pam_add(el_pam_sum *s, float x)
{
    const uint32_t u = el_bits(x);
    const uint32_t magnitude = u & ~EL_PAM_SIGN;

    if (__builtin_expect(el_pam_normal(magnitude), 1)) {
        const int32_t sign = (int32_t)u >> 31;
        const int32_t t = (int32_t)(((magnitude & EL_PAM_CARRY) | EL_PAM_LEAST) << EL_PAM_GUARD);
        el_pam_plus(s, (t ^ sign) - sign, (int32_t)(magnitude >> 23));
    } else if (magnitude != 0u) {
        *s = el_pam_odd(*s, x);
    }
}

/* s += a times b */
static inline __attribute__((always_inline)) void el_pam_mac(el_pam_sum *s, float a, float b)
{
    const uint32_t x = el_bits(a);
    const uint32_t y = el_bits(b);
    const uint32_t m = x & ~EL_PAM_SIGN;
    const uint32_t n = y & ~EL_PAM_SIGN;
    const uint32_t product = m + n - EL_PAM_ONE;

    if (__builtin_expect(el_pam_normal(m) && el_pam_normal(n) && el_pam_normal(product), 1)) {
        const int32_t sign = (int32_t)(x ^ y) >> 31;
        const int32_t t = (int32_t)(((product & EL_PAM_CARRY) | EL_PAM_LEAST) << EL_PAM_GUARD);
        el_pam_plus(s, (t ^ sign) - sign, (int32_t)(product >> 23));
    } else if (!(m < EL_PAM_LEAST && el_pam_finite(n)) && !(n < EL_PAM_LEAST && el_pam_finite(m))) {
        *s = el_pam_odd(*s, el_pam_edge(m, n, (x ^ y) & EL_PAM_SIGN));
    }
}

#endif
