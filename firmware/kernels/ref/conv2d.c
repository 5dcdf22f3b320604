/* Convolution by its definition: any size, stride, padding and number of groups. The truth that the fast ones match. */
#include "weights.h"

#include <stddef.h>

#ifndef EL_EXACT
void EL_LAYER(conv2d, fwd)(const el_window *s, EL_SCALARS const el_real *x, EL_WEIGHTS, const el_real *b, el_real *y)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                EL_SUM acc = EL_SUM_OF(b != NULL ? get(&b[o]) : 0.0f);
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                            continue;
                        }
                        const el_real *xp = x + (iy * s->in_w + ix) * s->in_c + o / og * cg;
                        const int32_t at = ((o * s->k_h + ky) * s->k_w + kx) * cg;
                        for (int32_t c = 0; c < cg; c++) {
                            EL_TERM(acc, &xp[c], at + c);
                        }
                    }
                }
                put(y++, EL_TOTAL(acc));
            }
        }
    }
}
#endif

/* The output position whose window has its tap k over input position i, along one axis; -1 if there is none. */
static int32_t over(int32_t i, int32_t pad, int32_t k, int32_t stride, int32_t out)
{
    const int32_t from = i + pad - k;
    return from >= 0 && from % stride == 0 && from / stride < out ? from / stride : -1;
}

/* Taps descend, so that terms are added in the order of the outputs. */
void EL_LAYER(conv2d, bwd_x)(const el_window *s, EL_SCALARS const el_real *dy, EL_WEIGHTS, EL_AND_X el_real *dx)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        for (int32_t ix = 0; ix < s->in_w; ix++) {
            for (int32_t c = 0; c < s->in_c; c++) {
                EL_SUM acc = EL_SUM_OF(0.0f);
                for (int32_t ky = s->k_h - 1; ky >= 0; ky--) {
                    const int32_t oy = over(iy, s->pad_top, ky, s->stride_h, s->out_h);
                    for (int32_t kx = s->k_w - 1; oy >= 0 && kx >= 0; kx--) {
                        const int32_t ox = over(ix, s->pad_left, kx, s->stride_w, s->out_w);
                        if (ox < 0) {
                            continue;
                        }
                        const el_real *dp = dy + (oy * s->out_w + ox) * s->out_c + c / cg * og;
                        const int32_t at = ((c / cg * og * s->k_h + ky) * s->k_w + kx) * cg + c % cg;
                        for (int32_t o = 0; o < og; o++) {
                            EL_TERM_OF_X(acc, &dp[o], at + o * s->k_h * s->k_w * cg, x);
                        }
                    }
                }
                put(dx++, EL_TOTAL(acc));
                EL_NEXT(x);
            }
        }
    }
}

#ifndef EL_SHIFT
void EL_LAYER(conv2d, bwd_w)(const el_window *s, float scale, const el_real *x, const el_real *dy, EL_AND_W el_real *dw)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t o = 0; o < s->out_c; o++) {
        for (int32_t ky = 0; ky < s->k_h; ky++) {
            for (int32_t kx = 0; kx < s->k_w; kx++) {
                for (int32_t c = 0; c < cg; c++) {
                    EL_SUM acc = EL_SUM_OF(0.0f);
                    for (int32_t oy = 0; oy < s->out_h; oy++) {
                        const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                        for (int32_t ox = 0; ox < s->out_w; ox++) {
                            const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                            if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                                continue;
                            }
                            EL_TERM_OF_W(acc, &dy[(oy * s->out_w + ox) * s->out_c + o],
                                         &x[(iy * s->in_w + ix) * s->in_c + o / og * cg + c], w);
                        }
                    }
                    add_product(dw++, scale, EL_TOTAL(acc));
                    EL_NEXT(w);
                }
            }
        }
    }
}
#endif
