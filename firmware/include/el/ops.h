/* Shapes of the kernels' operands. Everything is one sample, channels-last, contiguous; sizes count elements. */
#ifndef EL_OPS_H
#define EL_OPS_H

#include <stdint.h>

/* A window sliding over x [in_h][in_w][in_c] and producing y [out_h][out_w][out_c]: conv, depthwise, pools.
 * Output (oy, ox) reads rows oy*stride_h - pad_top + [0, k_h) and columns ox*stride_w - pad_left + [0, k_w);
 * the padding at the bottom and right is what the output size implies.
 * conv: w [out_c][k_h][k_w][in_c/groups]. depthwise: w [k_h][k_w][out_c], output channel o reads input channel
 * o / (out_c/in_c). Pools: in_c == out_c, and count_pad says whether an average counts padding.
 * A pitch is the elements from one position to the next: the channels, or more where a call computes some of them. Then
 * depthwise weights have the map's pitch too; conv's gradient of w needs some of the outputs, its forward writes some.
 */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t k_h, k_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t groups;
    int32_t count_pad;
    int32_t in_pitch, out_pitch;
} el_window;

/* y [top+in_h+bottom][left+in_w+right][channels] around x [in_h][in_w][channels]; a negative side crops. */
typedef struct {
    int32_t in_h, in_w, channels;
    int32_t top, left, bottom, right;
} el_pad;

/* y[i][j][k] = x[i*s0 + j*s1 + k*s2], y contiguous with dimensions d0, d1, d2. */
typedef struct {
    int32_t d0, d1, d2;
    int32_t s0, s1, s2;
} el_transpose;

/* y = a + b, or a - b, over int8 elements, b repeated in every row: zero points, the factors that bring both operands
 * to one scale and the sum to y's (see el/quant.h), and what y is clamped to. */
typedef struct {
    int32_t rows, channels;
    int32_t a_zero, b_zero, y_zero;
    int32_t a_multiplier, a_shift;
    int32_t b_multiplier, b_shift;
    int32_t y_multiplier, y_shift;
    int32_t min, max;
} el_add_s8;

/* y = x * b over int8 elements, b repeated in every row: zero points, the product's factor, and y's bounds. */
typedef struct {
    int32_t rows, channels;
    int32_t x_zero, b_zero, y_zero;
    int32_t multiplier, shift;
    int32_t min, max;
} el_mul_s8;

#endif
