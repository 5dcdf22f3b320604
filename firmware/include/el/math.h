/* Elementary functions in f32, the same source on every board and the host: no libm, no errno, no tables in RAM.
 *
 * Each stays within its bound with and without fused multiply-add (tests/host/test_kernels_math.py measures both
 * against float64): expf 1.5 ulp, logf 1 ulp, tanhf 2.5 ulp, sigmoidf 2.5 ulp, cosf 3 ulp for every finite input,
 * sqrtf correctly rounded, log1pf 3 ulp for x in [0, 1], normalf 2e-7 and 1e-5 of its result. Subnormals, infinities
 * and NaN follow IEEE 754; polynomial coefficients are our own minimax fits. */
#ifndef EL_MATH_H
#define EL_MATH_H

#include <stdint.h>

#define EL_INFINITY __builtin_inff()
#define EL_NAN __builtin_nanf("")

static inline uint32_t el_bits(float x)
{
    union {
        float f;
        uint32_t u;
    } v = {.f = x};
    return v.u;
}

static inline float el_from_bits(uint32_t u)
{
    union {
        uint32_t u;
        float f;
    } v = {.u = u};
    return v.f;
}

static inline float el_fabsf(float x)
{
    return el_from_bits(el_bits(x) & 0x7fffffffu);
}

/* e^x = 2^n e^r with r = x - n ln 2 in [-0.347, 0.347]. */
static inline float el_expf(float x)
{
    if (!(x < 88.72284f)) { /* also NaN */
        return x > 88.72284f ? EL_INFINITY : (x == x ? 3.4027985e38f : x);
    }
    if (x < -104.0f) {
        return 0.0f;
    }
    int32_t n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    float k = (float)n;
    float r = x - k * 0.693115234f; /* 12 bits of ln 2: k times this is exact */
    r = r - k * 3.19461833e-05f;
    float p = 0.00139504892f;
    p = p * r + 0.0083688898f;
    p = p * r + 0.041666206f;
    p = p * r + 0.166665182f;
    p = p * r + 0.5f;
    p = p * (r * r) + r;
    float y = 1.0f + p;
    /* Two exact powers of two: n alone leaves the exponent range at both ends, and the first step must not round. */
    int32_t first = n < -100 ? -100 : (n > 100 ? 100 : n);
    y *= el_from_bits((uint32_t)(first + 127) << 23);
    return y * el_from_bits((uint32_t)(n - first + 127) << 23);
}

/* log x = k ln 2 + log(1 + f), 1 + f in [0.707, 1.414]; with s = f/(2+f): log(1+f) = f - (f^2/2 - s (f^2/2 + R(s^2))).
 */
static inline float el_logf(float x)
{
    uint32_t u = el_bits(x);
    int32_t k = 0;
    if (u - 1u >= 0x7f7fffffu) { /* zero, negative, infinite or NaN */
        if ((u & 0x7fffffffu) == 0u) {
            return -EL_INFINITY;
        }
        return u == 0x7f800000u || x != x ? x : EL_NAN;
    }
    if (u < 0x00800000u) { /* subnormal */
        u = el_bits(x * 33554432.0f);
        k = -25;
    }
    u += 0x3f800000u - 0x3f3504f3u; /* moves sqrt(1/2) to an exponent's edge */
    k += (int32_t)(u >> 23) - 127;
    float f = el_from_bits((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float s = f / (2.0f + f);
    float z = s * s;
    float r = z * (0.666666627f + z * (0.400003374f + z * (0.285372376f + z * 0.235835716f)));
    float h = 0.5f * f * f;
    float e = (float)k;
    return e * 0.693115234f - ((h - (s * (h + r) + e * 3.19461833e-05f)) - f);
}

/* tanh x = x + x^3 P(x^2) near zero, 1 - 2/(e^2x + 1) away from it, where the difference no longer cancels. */
static inline float el_tanhf(float x)
{
    float a = el_fabsf(x);
    if (a < 0.625f) {
        float z = x * x;
        float p = -0.00571703631f;
        p = p * z + 0.0206505787f;
        p = p * z + -0.0537434965f;
        p = p * z + 0.133314908f;
        p = p * z + -0.333332837f;
        return x + x * (z * p);
    }
    if (a > 10.0f) {
        return x > 0.0f ? 1.0f : -1.0f;
    }
    float y = 1.0f - 2.0f / (el_expf(a + a) + 1.0f); /* NaN passes through */
    return x < 0.0f ? -y : y;
}

/* 1 / (1 + e^-x), never through an exponential that overflows; keeps its relative accuracy down to subnormals. */
static inline float el_sigmoidf(float x)
{
    float e = el_expf(-el_fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* log(1 + x) for x in [0, 1]: what rounding 1 + x loses is put back. */
static inline float el_log1pf(float x)
{
    float u = 1.0f + x;
    return el_logf(u) + (x - (u - 1.0f)) / u;
}

/* The share of a standard normal distribution below x: e^(-x^2/2) P(1 / (1 + 0.26 |x|)) for negative x. */
static inline float el_normalf(float x)
{
    float a = el_fabsf(x);
    float t = 1.0f / (1.0f + 0.26f * a);
    float p = 0.0339262001f;
    p = p * t - 0.17051886f;
    p = p * t + 0.290982455f;
    p = p * t - 0.200811505f;
    p = p * t + 0.200117707f;
    p = p * t + 0.0312075354f;
    p = p * t + 0.109481588f;
    p = p * t + 0.101715431f;
    p = p * t + 0.103906609f;
    p = p * t - 7.16661407e-06f;
    p *= el_expf(-0.5f * a * a);
    return x < 0.0f ? p : 1.0f - p;
}

/* x = q pi/2 + r, |r| <= pi/4. The product with 2/pi is formed in integers, modulo 4 and with 62 fraction bits, from
 * the 96 bits of 2/pi that matter at this exponent: no cancellation, so every finite x is fine. */
static inline float el_cosf(float x)
{
    static const uint32_t two_over_pi[8] = {0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                            0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    float r = el_fabsf(x);
    uint32_t q = 0;
    if (!(r <= 0.785398185f)) {
        uint32_t u = el_bits(r);
        if (u >= 0x7f800000u) {
            return x - x;
        }
        uint32_t start = (u >> 23) - 127u + 7u; /* first bit of the table that counts; the exponent is at least -1 */
        uint32_t mant = (u & 0x007fffffu) | 0x00800000u;
        const uint32_t *t = two_over_pi + start / 32u;
        uint32_t shift = start % 32u;
        uint64_t high = (uint64_t)t[0] << 32 | t[1];
        uint64_t low = (uint64_t)t[2] << 32 | t[3];
        if (shift != 0u) {
            high = high << shift | low >> (64u - shift);
            low <<= shift;
        }
        uint64_t product = high * mant + ((low >> 32) * mant >> 32);
        q = (uint32_t)((product + 0x2000000000000000u) >> 62);
        r = (float)(int64_t)(product - ((uint64_t)q << 62)) * 3.40612158e-19f; /* pi/2 * 2^-62 */
    }
    float z = r * r;
    float y;
    if ((q & 1u) == 0u) {
        float p = -0.00138873665f + z * 2.44383773e-05f;
        p = 0.0416666456f + z * p;
        y = 1.0f - (0.5f * z - z * z * p);
    } else {
        float p = -0.000198393347f + z * 2.71830413e-06f;
        p = 0.00833332911f + z * p;
        p = -0.166666672f + z * p;
        y = r + r * (z * p);
    }
    return q == 1u || q == 2u ? -y : y;
}

/* Correctly rounded. Bit by bit where the core has no instruction: that is cheaper than dividing in soft float. */
static inline float el_sqrtf_soft(float x)
{
    uint32_t u = el_bits(x);
    if (u - 1u >= 0x7f7fffffu) { /* zero, negative, infinite or NaN */
        return (u & 0x7fffffffu) == 0u || u == 0x7f800000u || x != x ? x : EL_NAN;
    }
    int32_t e = (int32_t)(u >> 23);
    u &= 0x007fffffu;
    if (e == 0) {
        for (e = 1; u < 0x00800000u; e--) {
            u <<= 1;
        }
    }
    u |= 0x00800000u;
    e -= 127;
    if (e & 1) {
        u <<= 1;
        e -= 1;
    }
    u <<= 1;
    uint32_t root = 0;
    uint32_t sum = 0;
    for (uint32_t bit = 0x01000000u; bit != 0u; bit >>= 1) { /* 24 bits of root and one to round by */
        uint32_t t = sum + bit;
        if (t <= u) {
            sum = t + bit;
            u -= t;
            root += bit;
        }
        u <<= 1;
    }
    root += root & 1u; /* a root is never halfway: the last bit decides alone */
    return el_from_bits((root >> 1) + (uint32_t)(e / 2 + 126) * 0x00800000u);
}

static inline float el_sqrtf(float x)
{
#if defined(__ARM_FP) && defined(__arm__)
    float y;
    __asm__("vsqrt.f32 %0, %1" : "=t"(y) : "t"(x)); /* the builtin would add a call that sets errno */
    return y;
#elif defined(__riscv_flen)
    float y;
    __asm__("fsqrt.s %0, %1" : "=f"(y) : "f"(x));
    return y;
#elif defined(__SSE__)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x));
    return y;
#else
    return el_sqrtf_soft(x);
#endif
}

#endif
