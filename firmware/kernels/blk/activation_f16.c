/* activation.c for halves: what passes is copied, and most of the rest is zero, so that few are converted. */
#include "el/f16.h"
#include "el/kernels.h"

#include "../inline.h"

typedef uint16_t __attribute__((may_alias)) half_bits;

enum { INFINITE = 0x7C00, SIGN = 0x8000 };

/* v times slope: a zero of its sign where the slope is zero and v finite */
EL_INLINE void fall(float slope, const el_f16 *from, el_f16 *to)
{
    const uint32_t bits = *(const half_bits *)from;
    if (slope == 0.0f && (bits & INFINITE) != INFINITE) {
        *(half_bits *)to = (uint16_t)(bits & SIGN);
    } else {
        el_f16_store(to, slope * el_f16_load(from));
    }
}

/* 1 if 0 < v < max; y gets the result. `span` is one less than the bits of the smallest half that is not below max. */
EL_INLINE uint32_t rectify(float slope, float max, uint32_t span, const el_f16 *x, el_f16 *y)
{
    const uint32_t bits = *(const half_bits *)x;
    if (bits - 1u < span) {
        *(half_bits *)y = (uint16_t)bits;
        return 1u;
    }
    if (bits - SIGN <= INFINITE) {
        fall(slope, x, y);
    } else {
        const float v = el_f16_load(x);
        el_f16_store(y, v > max ? max : v);
    }
    return 0u;
}

void el_relu_fwd_f16__blk(int32_t count, float slope, float max, const el_f16 *x, el_f16 *y, uint8_t *mask)
{
    uint32_t span = 0;
    if (max > 0.0f) {
        span = el_to_half(max);
        span -= el_from_half((uint16_t)span) >= max;
    }
    for (; count > 0; count -= 8) {
        uint32_t bits = 0;
        if (count >= 8) {
            bits = rectify(slope, max, span, x, y);
            bits |= rectify(slope, max, span, x + 1, y + 1) << 1;
            bits |= rectify(slope, max, span, x + 2, y + 2) << 2;
            bits |= rectify(slope, max, span, x + 3, y + 3) << 3;
            bits |= rectify(slope, max, span, x + 4, y + 4) << 4;
            bits |= rectify(slope, max, span, x + 5, y + 5) << 5;
            bits |= rectify(slope, max, span, x + 6, y + 6) << 6;
            bits |= rectify(slope, max, span, x + 7, y + 7) << 7;
            x += 8;
            y += 8;
        } else {
            for (int32_t i = 0; i < count; i++) {
                bits |= rectify(slope, max, span, x + i, y + i) << i;
            }
        }
        if (mask != 0) {
            *mask++ = (uint8_t)bits;
        }
    }
}

EL_INLINE void pass(uint32_t bit, float slope, const el_f16 *dy, el_f16 *dx)
{
    if (bit != 0u) {
        *(half_bits *)dx = *(const half_bits *)dy;
    } else {
        fall(slope, dy, dx);
    }
}

void el_relu_bwd_f16__blk(int32_t count, float slope, const el_f16 *dy, const uint8_t *mask, el_f16 *dx)
{
    for (; count > 0; count -= 8, mask++, dy += 8, dx += 8) {
        const uint32_t bits = *mask;
        if (count >= 8) {
            pass(bits & 1u, slope, dy, dx);
            pass(bits & 2u, slope, dy + 1, dx + 1);
            pass(bits & 4u, slope, dy + 2, dx + 2);
            pass(bits & 8u, slope, dy + 3, dx + 3);
            pass(bits & 16u, slope, dy + 4, dx + 4);
            pass(bits & 32u, slope, dy + 5, dx + 5);
            pass(bits & 64u, slope, dy + 6, dx + 6);
            pass(bits & 128u, slope, dy + 7, dx + 7);
        } else {
            for (int32_t i = 0; i < count; i++) {
                pass(bits >> i & 1u, slope, dy + i, dx + i);
            }
        }
    }
}
