/* Sums and differences of int8 maps on Helium, four elements at a time. */
#include "scaled_s8.h"

/* Without its zero point, 20 bits behind the point, and brought to the scale that both operands share. */
EL_INLINE int32x4_t shared(int32x4_t x, int32_t zero, int32_t multiplier, int32_t shift)
{
    return el_scaled_s8(vmlasq_n_s32(x, vdupq_n_s32(1 << 20), -zero * (1 << 20)), multiplier, shift);
}

EL_INLINE int32x4_t sum(const el_add_s8 *s, const int minus, int32x4_t a, int32x4_t b)
{
    a = shared(a, s->a_zero, s->a_multiplier, s->a_shift);
    b = shared(b, s->b_zero, s->b_multiplier, s->b_shift);
    const int32x4_t v = minus ? vsubq_s32(a, b) : vaddq_s32(a, b);
    return el_bounded_s8(el_scaled_s8(v, s->y_multiplier, s->y_shift), s->y_zero, s->min, s->max);
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
