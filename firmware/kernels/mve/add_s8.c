/* Sums and differences of int8 maps on Helium, four elements at a time. See rescale_s8.h for the rounding. */
#include "../product_s8/layer.h"

#include <arm_mve.h>

/* `minus_zero` taken on, 20 bits behind the point, and brought to the scale that both operands share. */
EL_INLINE int32x4_t shared(int32x4_t x, int32_t minus_zero, int32_t multiplier, int32_t shift, int32x4_t right)
{
    int32x4_t v = vshlq_n_s32(vaddq_n_s32(x, minus_zero), 20);
    v = vqrdmulhq_n_s32(vshlq_r_s32(v, shift > 0 ? shift : 0), multiplier);
    v = vqaddq_s32(v, vshrq_n_s32(vandq_s32(v, right), 31));
    return vrshlq_s32(v, right);
}

EL_INLINE int32x4_t sum(const el_add_s8 *s, const int minus, int32x4_t a, int32x4_t b)
{
    const int32_t y_shift = s->y_shift;
    const int32x4_t right = vdupq_n_s32(el_min(y_shift, 0));
    a = shared(a, -s->a_zero, s->a_multiplier, s->a_shift, vdupq_n_s32(el_min(s->a_shift, 0)));
    b = shared(b, -s->b_zero, s->b_multiplier, s->b_shift, vdupq_n_s32(el_min(s->b_shift, 0)));
    int32x4_t v = minus ? vsubq_s32(a, b) : vaddq_s32(a, b);
    v = vqrdmulhq_n_s32(vshlq_r_s32(v, y_shift > 0 ? y_shift : 0), s->y_multiplier);
    v = vqaddq_s32(v, vshrq_n_s32(vandq_s32(v, right), 31));
    v = vqaddq_n_s32(vrshlq_s32(v, right), s->y_zero);
    return vmaxq_s32(vminq_s32(v, vdupq_n_s32(s->max)), vdupq_n_s32(s->min));
}

EL_INLINE void rows(const el_add_s8 *shape, const int minus, const int8_t *a, const int8_t *b, int8_t *y)
{
    const el_add_s8 s = *shape; /* y may be anywhere */
    for (int32_t r = 0; r < s.rows; r++, a += s.channels, y += s.channels) {
        const int32_t whole = s.channels & ~3;
        for (int32_t c = 0; c < whole; c += 4) {
            vstrbq_s32(y + c, sum(&s, minus, vldrbq_s32(a + c), vldrbq_s32(b + c)));
        }
        if (whole != s.channels) {
            const mve_pred16_t p = vctp32q((uint32_t)(s.channels - whole));
            const int32x4_t last = vldrbq_z_s32(a + whole, p);
            vstrbq_p_s32(y + whole, sum(&s, minus, last, vldrbq_z_s32(b + whole, p)), p);
        }
    }
}

void el_add_fwd_s8__mve(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    rows(s, 0, a, b, y);
}

void el_sub_fwd_s8__mve(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    rows(s, 1, a, b, y);
}
