/* Kernels of int8, see kernels.h. */
#ifndef EL_KERNELS_S8_H
#define EL_KERNELS_S8_H

#include "el/ops.h"

/* int8: y = clamp(y_zero + rescale(sum of (x - x_zero) * w + b), min, max) with a multiplier and a shift for each
 * output channel, see el/quant.h; b may be NULL. The toolchain has made sure that no sum leaves 32 bits. */
#define EL_CONV2D_S8(ISA, SCRATCH)                                                                                     \
    void el_conv2d_fwd_s8__##ISA(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,         \
                                 const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,        \
                                 const int32_t *shift, int8_t *y SCRATCH);

#define EL_DENSE_S8(ISA, SCRATCH)                                                                                      \
    void el_dense_fwd_s8__##ISA(int32_t in, int32_t out, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,     \
                                const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,         \
                                const int32_t *shift, int8_t *y SCRATCH);

#define EL_DEPTHWISE_S8(ISA, SCRATCH)                                                                                  \
    void el_depthwise_conv2d_fwd_s8__##ISA(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min,            \
                                           int32_t max, const int8_t *x, const int8_t *w, const int32_t *b,            \
                                           const int32_t *multiplier, const int32_t *shift, int8_t *y SCRATCH);

#define EL_KERNELS_S8(ISA)                                                                                             \
    void el_max_pool2d_fwd_s8__##ISA(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y);        \
    /* the sum over the window, rounded after the division, ties away from zero */                                     \
    void el_avg_pool2d_fwd_s8__##ISA(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y);        \
    /* y = y_zero + rescale(sum of x - x_zero): one over the window's size is in the factor */                         \
    void el_mean_fwd_s8__##ISA(const el_window *s, int32_t multiplier, int32_t shift, int32_t x_zero, int32_t y_zero,  \
                               int32_t min, int32_t max, const int8_t *x, int8_t *y);                                  \
    void el_add_fwd_s8__##ISA(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y);                        \
    void el_sub_fwd_s8__##ISA(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y);                        \
    void el_mul_fwd_s8__##ISA(const el_mul_s8 *s, const int8_t *x, const int8_t *b, int8_t *y);                        \
    void el_slice_fwd_s8__##ISA(int32_t outer, int32_t whole, int32_t start, int32_t part, const int8_t *x,            \
                                int8_t *y);                                                                            \
    void el_concat_fwd_s8__##ISA(int32_t outer, int32_t first, int32_t second, const int8_t *a, const int8_t *b,       \
                                 int8_t *y);                                                                           \
    void el_transpose_fwd_s8__##ISA(const el_transpose *s, const int8_t *x, int8_t *y);                                \
    /* exps[d] = e^(-d steps of x), 31 bits behind the point; y has steps of 1/256 */                                  \
    void el_softmax_fwd_s8__##ISA(int32_t rows, int32_t channels, const int8_t *x, const int32_t *exps, int8_t *y);    \
    void el_pad_fwd_s8__##ISA(const el_pad *s, int32_t value, const int8_t *x, int8_t *y);                             \
    void el_reshape_fwd_s8__##ISA(int32_t count, const int8_t *x, int8_t *y);                                          \
    /* y = table[x + 128] */                                                                                           \
    void el_table_fwd_s8__##ISA(int32_t count, const int8_t *x, const int8_t *table, int8_t *y);                       \
    /* y = zero + round(x / scale), ties away from zero or to even, NaN as zero; and y = scale * (x - zero) */         \
    void el_quantize_fwd_s8__##ISA(int32_t count, int32_t zero, int32_t even, float scale, const float *x, int8_t *y); \
    void el_dequantize_fwd_s8__##ISA(int32_t count, int32_t zero, float scale, const int8_t *x, float *y);

/* Int8 layers whose weights are sgn * 2^S: 2^-k is in the factor of the sum. */
#define EL_SHIFT_LAYERS_S8(ISA, SCRATCH)                                                                               \
    void el_conv2d_shift_fwd_s8__##ISA(const el_window *s, int32_t bits, int32_t x_zero, int32_t y_zero, int32_t min,  \
                                       int32_t max, const int8_t *x, const uint8_t *w, const int32_t *b,               \
                                       const int32_t *multiplier, const int32_t *shift, int8_t *y SCRATCH);            \
    void el_depthwise_conv2d_shift_fwd_s8__##ISA(                                                                      \
        const el_window *s, int32_t bits, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max, const int8_t *x,   \
        const uint8_t *w, const int32_t *b, const int32_t *multiplier, const int32_t *shift, int8_t *y SCRATCH);       \
    void el_dense_shift_fwd_s8__##ISA(int32_t in, int32_t out, int32_t bits, int32_t x_zero, int32_t y_zero,           \
                                      int32_t min, int32_t max, const int8_t *x, const uint8_t *w, const int32_t *b,   \
                                      const int32_t *multiplier, const int32_t *shift, int8_t *y);

#endif
