/* Layers with weights, see kernels.h: convolutions, fully connected and recurrent ones. */
#ifndef EL_KERNELS_LAYERS_H
#define EL_KERNELS_LAYERS_H

#include "el/f16.h"
#include "el/ops.h"

/* y = conv(x, w) + b, b may be NULL; and the gradient of x */
#define EL_CONV2D(FMT, T, ISA, SCRATCH)                                                                                \
    void el_conv2d_fwd_##FMT##__##ISA(const el_window *s, const T *x, const T *w, const T *b, T *y SCRATCH);           \
    void el_conv2d_bwd_x_##FMT##__##ISA(const el_window *s, const T *dy, const T *w, T *dx SCRATCH);

/* Here and in every bwd_w and bias_bwd: output += scale * gradient */
#define EL_CONV2D_WEIGHTS(FMT, T, ISA, SCRATCH)                                                                        \
    void el_conv2d_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const T *x, const T *dy, T *dw SCRATCH);

#define EL_DEPTHWISE(FMT, T, ISA, SCRATCH)                                                                             \
    void el_depthwise_conv2d_fwd_##FMT##__##ISA(const el_window *s, const T *x, const T *w, const T *b, T *y SCRATCH); \
    void el_depthwise_conv2d_bwd_x_##FMT##__##ISA(const el_window *s, const T *dy, const T *w, T *dx SCRATCH);         \
    void el_depthwise_conv2d_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const T *x, const T *dy,            \
                                                  T *dw SCRATCH);

/* y[o] = b[o] + sum_i w[o][i] x[i]; b may be NULL. dx[i] = sum_o w[o * pitch + i] dy[o] */
#define EL_DENSE(FMT, T, ISA, SCRATCH)                                                                                 \
    void el_dense_fwd_##FMT##__##ISA(int32_t in, int32_t out, const T *x, const T *w, const T *b, T *y SCRATCH);       \
    void el_dense_bwd_x_##FMT##__##ISA(int32_t in, int32_t out, int32_t pitch, const T *dy, const T *w,                \
                                       T *dx SCRATCH);                                                                 \
    void el_dense_bwd_w_##FMT##__##ISA(int32_t in, int32_t out, float scale, const T *x, const T *dy, T *dw SCRATCH);

/* The same with weights that are signed powers of two, el/shift.h: `bits` each, times 2^-k. Nothing trains them here.
 */
#define EL_SHIFT_LAYERS(FMT, T, ISA, SCRATCH)                                                                          \
    void el_conv2d_shift_fwd_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const T *x, const uint8_t *w, \
                                            const T *b, T *y SCRATCH);                                                 \
    void el_conv2d_shift_bwd_x_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const T *dy,                \
                                              const uint8_t *w, T *dx SCRATCH);                                        \
    void el_depthwise_conv2d_shift_fwd_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const T *x,         \
                                                      const uint8_t *w, const T *b, T *y SCRATCH);                     \
    void el_depthwise_conv2d_shift_bwd_x_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const T *dy,      \
                                                        const uint8_t *w, T *dx SCRATCH);                              \
    void el_dense_shift_fwd_##FMT##__##ISA(int32_t in, int32_t out, int32_t bits, int32_t k, const T *x,               \
                                           const uint8_t *w, const T *b, T *y SCRATCH);                                \
    void el_dense_shift_bwd_x_##FMT##__##ISA(int32_t in, int32_t out, int32_t pitch, int32_t bits, int32_t k,          \
                                             const T *dy, const uint8_t *w, T *dx SCRATCH);

/* Gradients by the exact derivatives of piecewise affine products, el/pam.h, which depend on both factors. dw may be w:
 * an element is read before it is written. */
#define EL_EXACT_LAYERS(FMT, T, ISA)                                                                                   \
    void el_conv2d_exact_bwd_x_##FMT##__##ISA(const el_window *s, const T *dy, const T *w, const T *x, T *dx);         \
    void el_conv2d_exact_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const T *x, const T *dy, const T *w,    \
                                              T *dw);                                                                  \
    void el_depthwise_conv2d_exact_bwd_x_##FMT##__##ISA(const el_window *s, const T *dy, const T *w, const T *x,       \
                                                        T *dx);                                                        \
    void el_depthwise_conv2d_exact_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const T *x, const T *dy,      \
                                                        const T *w, T *dw);                                            \
    void el_dense_exact_bwd_x_##FMT##__##ISA(int32_t in, int32_t out, int32_t pitch, const T *dy, const T *w,          \
                                             const T *x, T *dx);                                                       \
    void el_dense_exact_bwd_w_##FMT##__##ISA(int32_t in, int32_t out, float scale, const T *x, const T *dy,            \
                                             const T *w, T *dw);

/* Recurrent layers: see kernels/recurrent.h for what the arrays hold and which may be NULL or the same. */
#define EL_RECURRENT_F32(ISA)                                                                                          \
    /* h = f(x + b + r h'), f tanh or ReLU */                                                                          \
    void el_rnn_fwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *x,           \
                               const float *r, const float *b, const float *start, float *y);                          \
    void el_rnn_bwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *y,           \
                               const float *dy, const float *r, float *dx, void *scratch);                             \
    /* gates i, o, f, g of x + b + r h': c = f c' + i g, h = o tanh(c) */                                              \
    void el_lstm_fwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, const float *x, const float *r,        \
                                const float *b, const float *start, const float *cell, float *y, float *gates,         \
                                float *cells, void *scratch);                                                          \
    void el_lstm_bwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, const float *gates,                    \
                                const float *cells, const float *dy, const float *r, const float *cell, float *dx,     \
                                void *scratch);                                                                        \
    /* gates z, r, n: h = (1 - z) n + z h' */                                                                          \
    void el_gru_fwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,            \
                               const float *x, const float *r, const float *b, const float *start, float *y,           \
                               float *gates, void *scratch);                                                           \
    void el_gru_bwd_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,            \
                               const float *gates, const float *y, const float *dy, const float *r, const float *b,    \
                               const float *start, float *dx, float *side, void *scratch);                             \
    void el_gru_bwd_w_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,          \
                                 float scale, const float *d, const float *side, const float *y, const float *start,   \
                                 float *dr);                                                                           \
    void el_gru_bias_bwd_f32__##ISA(int32_t steps, int32_t hidden, float scale, const float *d, const float *side,     \
                                    float *db);                                                                        \
    /* of rnn and lstm: dr += scale * sum over steps of d times the state before the step */                           \
    void el_recurrent_bwd_w_f32__##ISA(int32_t steps, int32_t hidden, int32_t reverse, int32_t gates, float scale,     \
                                       const float *d, const float *y, const float *start, float *dr);

#endif
