/* Fully connected layers in assembler, see dense.h. */
#include "el/kernels.h"

#include "fused.h"

#include "dense.h"

void el_dense_fwd_f32__thumb(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    el_dense_forward(in, out, x, w, b, y);
}

void el_dense_bwd_x_f32__thumb(int32_t in, int32_t out, int32_t pitch, const float *dy, const float *w, float *dx)
{
    el_dense_backward_x(in, out, pitch, dy, w, dx);
}

void el_dense_bwd_w_f32__thumb(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
    el_dense_backward_w(in, out, scale, x, dy, dw);
}
