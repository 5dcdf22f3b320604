/* ReLU and its mask by integer comparison of the bit patterns, eight elements a byte.
 *
 * For a positive limit, 0 < v < max is one unsigned comparison of v's bits: bits - 1 < bits(max) - 1, because positive
 * floats order like their bit patterns, and zero, negative numbers, larger ones and NaN all fall outside. Only those
 * take the general formula, and cores without an FPU gain most. */
#include "el/kernels.h"
#include "el/math.h"
#include "tile.h"

/* 1 if 0 < v < max; y gets the result. */
EL_INLINE uint32_t rectify(float slope, float max, uint32_t span, const float *x, float *y)
{
    const float v = *x;
    if (el_bits(v) - 1u < span) {
        *y = v;
        return 1u;
    }
    *y = v < 0.0f ? EL_MUL(slope, v) : (v > max ? max : v);
    return 0u;
}

void EL_BLK(relu_fwd)(int32_t count, float slope, float max, const float *x, float *y, uint8_t *mask)
{
    const uint32_t span = max > 0.0f ? el_bits(max) - 1u : 0u;
    for (; count >= 8; count -= 8, x += 8, y += 8) {
        uint32_t bits = rectify(slope, max, span, x, y);
        bits |= rectify(slope, max, span, x + 1, y + 1) << 1;
        bits |= rectify(slope, max, span, x + 2, y + 2) << 2;
        bits |= rectify(slope, max, span, x + 3, y + 3) << 3;
        bits |= rectify(slope, max, span, x + 4, y + 4) << 4;
        bits |= rectify(slope, max, span, x + 5, y + 5) << 5;
        bits |= rectify(slope, max, span, x + 6, y + 6) << 6;
        bits |= rectify(slope, max, span, x + 7, y + 7) << 7;
        if (mask != 0) {
            *mask++ = (uint8_t)bits;
        }
    }
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        bits |= rectify(slope, max, span, x + i, y + i) << i;
    }
    if (mask != 0 && count > 0) {
        *mask = (uint8_t)bits;
    }
}

void EL_BLK(relu_bwd)(int32_t count, float slope, const float *dy, const uint8_t *mask, float *dx)
{
    for (; count > 0; count -= 8, mask++, dy += 8, dx += 8) {
        const uint32_t bits = *mask;
        if (count >= 8) {
            dx[0] = (bits & 1u) != 0u ? dy[0] : EL_MUL(slope, dy[0]);
            dx[1] = (bits & 2u) != 0u ? dy[1] : EL_MUL(slope, dy[1]);
            dx[2] = (bits & 4u) != 0u ? dy[2] : EL_MUL(slope, dy[2]);
            dx[3] = (bits & 8u) != 0u ? dy[3] : EL_MUL(slope, dy[3]);
            dx[4] = (bits & 16u) != 0u ? dy[4] : EL_MUL(slope, dy[4]);
            dx[5] = (bits & 32u) != 0u ? dy[5] : EL_MUL(slope, dy[5]);
            dx[6] = (bits & 64u) != 0u ? dy[6] : EL_MUL(slope, dy[6]);
            dx[7] = (bits & 128u) != 0u ? dy[7] : EL_MUL(slope, dy[7]);
        } else {
            for (int32_t i = 0; i < count; i++) {
                dx[i] = (bits >> i & 1u) != 0u ? dy[i] : EL_MUL(slope, dy[i]);
            }
        }
    }
}
