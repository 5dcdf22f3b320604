/* Fully connected layers of halves, in floats: see dense_f16.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"

#include "../thumb/dense_f16.h"

void el_dense_fwd_f16__thumb_m4(int32_t in, int32_t out, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y)
{
    el_dense_forward(in, out, x, w, b, y);
}

void el_dense_bwd_x_f16__thumb_m4(int32_t in, int32_t out, int32_t pitch, const el_f16 *dy, const el_f16 *w, el_f16 *dx)
{
    el_dense_backward_x(in, out, pitch, dy, w, dx);
}

void el_dense_bwd_w_f16__thumb_m4(int32_t in, int32_t out, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw)
{
    el_dense_backward_w(in, out, scale, x, dy, dw);
}
