/* Depthwise convolution of int8 maps in portable C. */
#include "../product_s8/quad.h"

typedef struct {
    int16_t v[EL_QUAD];
} el_quad_s8;

EL_INLINE el_quad_s8 el_quad_s8_of(const int8_t *from, int32_t x_zero)
{
    return (el_quad_s8){{(int16_t)(from[0] - x_zero), (int16_t)(from[1] - x_zero), (int16_t)(from[2] - x_zero),
                         (int16_t)(from[3] - x_zero)}};
}

EL_INLINE el_quad_s8 el_twice_s8_of(const int8_t *from)
{
    return (el_quad_s8){
        {(int16_t)(2 * from[0]), (int16_t)(2 * from[1]), (int16_t)(2 * from[2]), (int16_t)(2 * from[3])}};
}

EL_INLINE void tap(el_four_s8 *s, const el_quad_s8 *v, const el_quad_s8 *w)
{
    s->s0 += v->v[0] * w->v[0];
    s->s1 += v->v[1] * w->v[1];
    s->s2 += v->v[2] * w->v[2];
    s->s3 += v->v[3] * w->v[3];
}

EL_INLINE const el_quad_s8 *el_taps_s8(el_four_s8 *sums, const el_quad_s8 *v, const el_quad_s8 *w, int32_t count)
{
    el_four_s8 s = *sums;
    if (count == 0) {
        tap(&s, v, w);
        tap(&s, v + 1, w + 1);
        tap(&s, v + 2, w + 2);
        w += 3;
    } else {
        for (const el_quad_s8 *end = w + count; w != end;) {
            tap(&s, v++, w++);
        }
    }
    *sums = s;
    return w;
}

EL_INLINE int8_t rescaled(const el_factors_s8 *f, int j, int32_t twice)
{
    return (int8_t)el_clamp_int8((el_rounded_product(twice, f->of[j].multiplier, f->of[j].add) + (twice >> 31)) >>
                                 f->of[j].right);
}

EL_INLINE void el_rescale_quad_s8(const el_factors_s8 *f, const el_four_s8 *sums, int8_t *y)
{
    y[0] = rescaled(f, 0, sums->s0);
    y[1] = rescaled(f, 1, sums->s1);
    y[2] = rescaled(f, 2, sums->s2);
    y[3] = rescaled(f, 3, sums->s3);
}

#include "../product_s8/depthwise.h"

EL_DEPTHWISE_KERNEL_S8(blk)
