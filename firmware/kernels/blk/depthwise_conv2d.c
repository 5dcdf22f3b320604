/* Depthwise convolution (multiplier 1) on four channels at a time, see sweep.h. */
#include "el/kernels.h"
#include "tile.h"

#define EL_SWEEP_REAL el_real
#include "../sweep.h"

typedef struct {
    EL_SUM c0, c1, c2, c3;
} lanes;

/* t[c] += sum over k < count of a[k*lda + c] * b[k*ldb + c] for c < width, width 4 or 1 */
EL_INLINE void lanes_mac(lanes *t, int width, int32_t count, const el_real *a, int32_t lda, const el_real *b,
                         int32_t ldb)
{
    for (; count > 0; count--, a += lda, b += ldb) {
        EL_MAC(t->c0, get(&a[0]), get(&b[0]));
        if (width > 1) {
            EL_MAC(t->c1, get(&a[1]), get(&b[1]));
            EL_MAC(t->c2, get(&a[2]), get(&b[2]));
            EL_MAC(t->c3, get(&a[3]), get(&b[3]));
        }
    }
}

EL_INLINE lanes lanes_load(int width, const el_real *b)
{
    lanes t = {0};
    t.c0 = EL_SUM_OF(get(&b[0]));
    if (width > 1) {
        t.c1 = EL_SUM_OF(get(&b[1]));
        t.c2 = EL_SUM_OF(get(&b[2]));
        t.c3 = EL_SUM_OF(get(&b[3]));
    }
    return t;
}

EL_INLINE void lanes_store(const lanes *t, int width, el_real *y)
{
    put(&y[0], EL_TOTAL(t->c0));
    if (width > 1) {
        put(&y[1], EL_TOTAL(t->c1));
        put(&y[2], EL_TOTAL(t->c2));
        put(&y[3], EL_TOTAL(t->c3));
    }
}

EL_INLINE void sweep_sum(lanes *t, int width, const el_sweep *v, int32_t count, const el_real *a, const el_real *b)
{
    for (int32_t r = 0; r < v->rows; r++, a += v->a_row, b += v->b_row) {
        lanes_mac(t, width, count, a, v->a_step, b, v->b_step);
    }
}

EL_INLINE void sweep_channels(const el_sweep *v, int32_t count, int32_t channels, const el_real *a, const el_real *b,
                              const el_real *bias, el_real *y)
{
    int32_t c = 0;
    for (; EL_SIDE == 4 && c + 4 <= channels; c += 4) {
        lanes t = bias != 0 ? lanes_load(4, bias + c) : (lanes){0};
        sweep_sum(&t, 4, v, count, a + c, b + c);
        lanes_store(&t, 4, y + c);
    }
    for (; c < channels; c++) {
        lanes t = bias != 0 ? lanes_load(1, bias + c) : (lanes){0};
        sweep_sum(&t, 1, v, count, a + c, b + c);
        lanes_store(&t, 1, y + c);
    }
}

/* Most windows are three wide: that loop is unrolled. */
static void el_sweep_store(const el_sweep *v, int32_t channels, const el_real *a, const el_real *b, const el_real *bias,
                           el_real *y)
{
    if (v->count == 3) {
        sweep_channels(v, 3, channels, a, b, bias, y);
    } else {
        sweep_channels(v, v->count, channels, a, b, bias, y);
    }
}

EL_INLINE void el_sweep_add(const el_sweep *v, int32_t channels, float scale, const el_real *a, const el_real *b,
                            el_real *dw)
{
    int32_t c = 0;
    for (; EL_SIDE == 4 && c + 4 <= channels; c += 4) {
        lanes t = {0};
        sweep_sum(&t, 4, v, v->count, a + c, b + c);
        el_row_add(4, scale, EL_TOTAL(t.c0), EL_TOTAL(t.c1), EL_TOTAL(t.c2), EL_TOTAL(t.c3), dw + c);
    }
    for (; c < channels; c++) {
        lanes t = {0};
        sweep_sum(&t, 1, v, v->count, a + c, b + c);
        add_product(&dw[c], scale, EL_TOTAL(t.c0));
    }
}

void EL_BLK(depthwise_conv2d_fwd)(const el_window *s, const el_real *x, const el_real *w, const el_real *b, el_real *y)
{
    el_sweep_forward(s, x, w, b, y);
}

void EL_BLK(depthwise_conv2d_bwd_x)(const el_window *s, const el_real *dy, const el_real *w, el_real *dx)
{
    el_sweep_backward_x(s, dy, w, dx);
}

void EL_BLK(depthwise_conv2d_bwd_w)(const el_window *s, float scale, const el_real *x, const el_real *dy, el_real *dw)
{
    el_sweep_backward_w(s, scale, x, dy, dw);
}
