/* el_rescale of el/quant.h with one factor for all elements. See rescale_s8.h for the rounding. */
#ifndef EL_MVE_SCALED_S8_H
#define EL_MVE_SCALED_S8_H

#include "../product_s8/layer.h"

#include <arm_mve.h>

EL_INLINE int32x4_t el_scaled_s8(int32x4_t x, int32_t multiplier, int32_t shift)
{
    const int32x4_t right = vdupq_n_s32(el_min(shift, 0));
    const int32x4_t v = vqrdmulhq_n_s32(vshlq_r_s32(x, el_max(shift, 0)), multiplier);
    return vrshlq_s32(vqaddq_s32(v, vshrq_n_s32(vandq_s32(v, right), 31)), right);
}

/* With the zero point and within bounds. */
EL_INLINE int32x4_t el_bounded_s8(int32x4_t x, int32_t zero, int32_t min, int32_t max)
{
    return vmaxq_s32(vminq_s32(vqaddq_n_s32(x, zero), vdupq_n_s32(max)), vdupq_n_s32(min));
}

#endif
