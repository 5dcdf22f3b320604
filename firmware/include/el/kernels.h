/* Every kernel. The signature of an operation is stated once here; each format and instruction set has the same one.
 *
 * Order: shape (a struct, or sizes by value), scalars, inputs, outputs, scratch. Only implementations that want scratch
 * take it; edgelearn/kernels/ knows how many bytes (aligned to 4). Inputs and outputs may be the same array only in
 * elementwise and per-row kernels. Kernels trust their arguments: the toolchain has checked every shape. Not every
 * implementation exists. */
#ifndef EL_KERNELS_H
#define EL_KERNELS_H

#include "el/f16.h"
#include "el/model.h"
#include "el/ops.h"

/* So many rows are summed apart: a float sum of thousands loses the digits that its last terms would add. */
enum { EL_SUM_ROWS = 128 };

/* Families by number format FMT (f32, f16, pam), its C type T (float, el_f16) and instruction set ISA. SCRATCH is
 * EL_SCRATCH where kernels of that instruction set want scratch, else EL_NO_SCRATCH. In f16 operands and results are
 * halves, sums are floats or short blocks that are drained into floats, and each result is rounded once.
 */

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

#define EL_KERNELS(FMT, T, ISA)                                                                                        \
    /* db[c] += scale * sum_r dy[r * pitch + c] */                                                                     \
    void el_bias_bwd_##FMT##__##ISA(int32_t rows, int32_t channels, int32_t pitch, float scale, const T *dy, T *db);   \
    /* y = (x - mean) * inv_std * gamma + beta, statistics frozen */                                                   \
    void el_batch_norm_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *gamma, const T *beta,   \
                                          const float *mean, const float *inv_std, T *y);                              \
    void el_batch_norm_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, const T *dy, const T *gamma,               \
                                            const float *inv_std, T *dx);                                              \
    void el_batch_norm_bwd_w_##FMT##__##ISA(int32_t rows, int32_t channels, float scale, const T *x, const T *dy,      \
                                            const float *mean, const float *inv_std, T *dgamma);                       \
    /* y = x < 0 ? slope * x : min(x, max); bit i of mask: 0 < x[i] < max; mask may be NULL */                         \
    void el_relu_fwd_##FMT##__##ISA(int32_t count, float slope, float max, const T *x, T *y, uint8_t *mask);           \
    void el_relu_bwd_##FMT##__##ISA(int32_t count, float slope, const T *dy, const uint8_t *mask, T *dx);              \
    void el_sigmoid_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                               \
    void el_sigmoid_bwd_##FMT##__##ISA(int32_t count, const T *y, const T *dy, T *dx);                                 \
    void el_tanh_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                                  \
    void el_tanh_bwd_##FMT##__##ISA(int32_t count, const T *y, const T *dy, T *dx);                                    \
    /* winner: index ky*k_w + kx of the first maximum in its window; may be NULL */                                    \
    void el_max_pool2d_fwd_##FMT##__##ISA(const el_window *s, const T *x, T *y, uint8_t *winner);                      \
    void el_max_pool2d_bwd_##FMT##__##ISA(const el_window *s, const T *dy, const uint8_t *winner, T *dx);              \
    void el_avg_pool2d_fwd_##FMT##__##ISA(const el_window *s, const T *x, T *y);                                       \
    void el_avg_pool2d_bwd_##FMT##__##ISA(const el_window *s, const T *dy, T *dx);                                     \
    void el_add_fwd_##FMT##__##ISA(int32_t count, const T *a, const T *b, T *y);                                       \
    /* y = x + b and y = x * b with b [channels] repeated in every row; bwd_x: the gradient of b, a sum over rows */   \
    void el_bias_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *b, T *y);                     \
    void el_bias_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, const T *dy, T *db);                             \
    void el_sub_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *b, T *y);                      \
    void el_sub_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, const T *dy, T *db);                              \
    void el_mul_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *b, T *y);                      \
    void el_mul_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *dy, T *db);                  \
    void el_mul_bwd_w_##FMT##__##ISA(int32_t rows, int32_t channels, float scale, const T *x, const T *dy, T *db);     \
    void el_reciprocal_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                            \
    void el_reciprocal_bwd_##FMT##__##ISA(int32_t count, const T *y, const T *dy, T *dx);                              \
    void el_reshape_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                               \
    /* y[o] is a[o] followed by b[o]; y[o] = x[o][start, start + part); bwd: zero outside the part */                  \
    void el_concat_fwd_##FMT##__##ISA(int32_t outer, int32_t first, int32_t second, const T *a, const T *b, T *y);     \
    void el_slice_fwd_##FMT##__##ISA(int32_t outer, int32_t whole, int32_t start, int32_t part, const T *x, T *y);     \
    void el_slice_bwd_##FMT##__##ISA(int32_t outer, int32_t whole, int32_t start, int32_t part, const T *dy, T *dx);   \
    /* y[r][k] = x[r][index[k]]; put: y[r][index[k]] = x[r][k], zero elsewhere; index ascends */                       \
    void el_take_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, int32_t part, const T *x, const int32_t *index,    \
                                    T *y);                                                                             \
    void el_put_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, int32_t part, const T *x, const int32_t *index,     \
                                   T *y);                                                                              \
    /* statistics of each row, and of each channel over all rows; beta may be NULL */                                  \
    void el_layer_norm_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, const T *x, const T *gamma,   \
                                          const T *beta, T *y);                                                        \
    void el_layer_norm_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, const T *x, const T *dy,    \
                                            const T *gamma, T *dx);                                                    \
    void el_layer_norm_bwd_w_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, float scale, const T *x,    \
                                            const T *dy, T *dgamma);                                                   \
    void el_instance_norm_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, const T *x,                \
                                             const T *gamma, const T *beta, T *y);                                     \
    void el_instance_norm_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, const T *x, const T *dy, \
                                               const T *gamma, T *dx);                                                 \
    void el_instance_norm_bwd_w_##FMT##__##ISA(int32_t rows, int32_t channels, float epsilon, float scale, const T *x, \
                                               const T *dy, T *dgamma);                                                \
    /* y = clip(alpha x + beta, 0, 1); x clip(x + 3, 0, 6) / 6; x < 0 ? alpha (e^x - 1) : x; x < 0 ? slope x : x */    \
    void el_clip_fwd_##FMT##__##ISA(int32_t count, float low, float high, const T *x, T *y);                           \
    void el_clip_bwd_##FMT##__##ISA(int32_t count, float low, float high, const T *y, const T *dy, T *dx);             \
    void el_hard_sigmoid_fwd_##FMT##__##ISA(int32_t count, float alpha, float beta, const T *x, T *y);                 \
    void el_hard_sigmoid_bwd_##FMT##__##ISA(int32_t count, float alpha, const T *y, const T *dy, T *dx);               \
    void el_hard_swish_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                            \
    void el_hard_swish_bwd_##FMT##__##ISA(int32_t count, const T *x, const T *dy, T *dx);                              \
    /* as hard_swish; bit i of mask: x[i] >= 0; mask may be NULL */                                                    \
    void el_hard_swish_signed_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y, uint8_t *mask);                      \
    void el_elu_fwd_##FMT##__##ISA(int32_t count, float alpha, const T *x, T *y);                                      \
    void el_elu_bwd_##FMT##__##ISA(int32_t count, float alpha, const T *y, const T *dy, T *dx);                        \
    /* x sigmoid(x); GELU in both of its forms; log(1 + e^x) */                                                        \
    void el_silu_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                                  \
    void el_silu_bwd_##FMT##__##ISA(int32_t count, const T *x, const T *dy, T *dx);                                    \
    void el_gelu_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                                  \
    void el_gelu_bwd_##FMT##__##ISA(int32_t count, const T *x, const T *dy, T *dx);                                    \
    void el_gelu_tanh_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                             \
    void el_gelu_tanh_bwd_##FMT##__##ISA(int32_t count, const T *x, const T *dy, T *dx);                               \
    void el_softplus_fwd_##FMT##__##ISA(int32_t count, const T *x, T *y);                                              \
    void el_softplus_bwd_##FMT##__##ISA(int32_t count, const T *x, const T *dy, T *dx);                                \
    void el_prelu_fwd_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *slope, T *y);                \
    void el_prelu_bwd_x_##FMT##__##ISA(int32_t rows, int32_t channels, const T *x, const T *dy, const T *slope,        \
                                       T *dx);                                                                         \
    void el_prelu_bwd_w_##FMT##__##ISA(int32_t rows, int32_t channels, float scale, const T *x, const T *dy,           \
                                       T *dslope);                                                                     \
    void el_pad_fwd_##FMT##__##ISA(const el_pad *s, float value, const T *x, T *y);                                    \
    void el_pad_bwd_##FMT##__##ISA(const el_pad *s, const T *dy, T *dx);                                               \
    void el_transpose_fwd_##FMT##__##ISA(const el_transpose *s, const T *x, T *y);                                     \
    void el_zero_fwd_##FMT##__##ISA(int32_t count, T *y);

/* Always in f32. */
#define EL_KERNELS_F32(ISA)                                                                                            \
    void el_softmax_fwd_f32__##ISA(int32_t rows, int32_t channels, const float *x, float *y);                          \
    void el_softmax_bwd_f32__##ISA(int32_t rows, int32_t channels, const float *y, const float *dy, float *dx);        \
    void el_log_softmax_fwd_f32__##ISA(int32_t rows, int32_t channels, const float *x, float *y);                      \
    void el_log_softmax_bwd_f32__##ISA(int32_t rows, int32_t channels, const float *y, const float *dy, float *dx);    \
    /* loss = log(sum exp logits) - logits[label]; a label out of range makes the loss NaN */                          \
    void el_softmax_xent_fwd_f32__##ISA(int32_t classes, const float *logits, const uint32_t *label, float *loss);     \
    void el_softmax_xent_bwd_f32__##ISA(int32_t classes, float scale, const float *logits, const uint32_t *label,      \
                                        float *dlogits);                                                               \
    /* the same with s(x) = x < 0 ? 1 / (1 - x) : x + 1 in the place of exp */                                         \
    void el_stablemax_xent_fwd_f32__##ISA(int32_t classes, const float *logits, const uint32_t *label, float *loss);   \
    void el_stablemax_xent_bwd_f32__##ISA(int32_t classes, float scale, const float *logits, const uint32_t *label,    \
                                          float *dlogits);                                                             \
    /* loss = -log sigmoid(logit) for label 1, -log sigmoid(-logit) for 0; any other makes it NaN */                   \
    void el_sigmoid_xent_fwd_f32__##ISA(const float *logit, const uint32_t *label, float *loss);                       \
    void el_sigmoid_xent_bwd_f32__##ISA(float scale, const float *logit, const uint32_t *label, float *dlogit);        \
    /* loss = mean (y - t)^2 */                                                                                        \
    void el_mse_fwd_f32__##ISA(int32_t count, const float *y, const float *t, float *loss);                            \
    void el_mse_bwd_f32__##ISA(int32_t count, float scale, const float *y, const float *t, float *dy);                 \
    void el_sumsq_step_f32__##ISA(int32_t count, const float *g, float *acc);                                          \
    void el_clip_step_f32__##ISA(el_optim *o, float *acc);                                                             \
    /* y = x times the loss scale; and at the end of an update, the next scale */                                      \
    void el_loss_scale_fwd_f32__##ISA(int32_t count, const float *x, const float *scaling, float *y);                  \
    void el_loss_scale_step_f32__##ISA(int32_t every, float *scaling);

/* Update rules of float weights, FMT f32 or pam */
#define EL_STEPS_F32(FMT, ISA)                                                                                         \
    void el_weight_decay_step_##FMT##__##ISA(int32_t count, const el_optim *o, float *w);                              \
    void el_sgd_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w);                       \
    /* v arrives as momentum * t of the last step, plus the gradient where g is NULL */                                \
    void el_momentum_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *v);        \
    void el_adam_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v);  \
    void el_adamw_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v);

/* Weights that are sgn * 2^(S - k), by the latents behind them, which lie side by side: `latents` of each weight. Where
 * they begin, with sizes evenly spread up to span; the update of both by the gradient of w; the sum of squares of the
 * gradients of latents, added to acc. */
#define EL_LATENT_STEPS(ISA)                                                                                           \
    void el_shift_begin_fwd_f32__##ISA(int32_t count, int32_t latents, int32_t k, float span, const float *w,          \
                                       float *latent);                                                                 \
    void el_shift_sgd_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,    \
                                      float *w, float *latent);                                                        \
    void el_shift_momentum_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o,               \
                                           const float *g, float *w, float *latent, float *v);                         \
    void el_shift_adam_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,   \
                                       float *w, float *latent, float *m, float *v);                                   \
    void el_shift_adamw_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,  \
                                        float *w, float *latent, float *m, float *v);                                  \
    void el_shift_sumsq_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const float *g,                     \
                                        const float *latent, float *acc);

/* Between f32 and the halves beside it, and how halves are trained. `scaling` is an el_scaling of el/model.h. */
#define EL_CASTS_F16(ISA)                                                                                              \
    void el_narrow_fwd_f16__##ISA(int32_t count, const float *x, el_f16 *y);                                           \
    void el_widen_fwd_f16__##ISA(int32_t count, const el_f16 *x, float *y);                                            \
    void el_quantize_fwd_f16__##ISA(int32_t count, int32_t zero, int32_t even, float scale, const el_f16 *x,           \
                                    int8_t *y);                                                                        \
    void el_dequantize_fwd_f16__##ISA(int32_t count, int32_t zero, float scale, const int8_t *x, el_f16 *y);           \
    /* whether all of g is finite, into scaling; the sum of squares */                                                 \
    void el_finite_step_f16__##ISA(int32_t count, const el_f16 *g, float *scaling);                                    \
    void el_sumsq_step_f16__##ISA(int32_t count, const el_f16 *g, float *acc);

/* Update rules with a gradient in f16 and weights W in f16 (STEP _step) or f32 (STEP _mixed_step): in f32, each weight
 * rounded once, to nearest where salt is 0, else at random. Nothing changes where scaling has seen a gradient that is
 * not finite. */
#define EL_STEPS_F16(ISA, STEP, W)                                                                                     \
    void el_sgd##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                    \
                                   const float *scaling, W *w);                                                        \
    void el_momentum##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,               \
                                        const float *scaling, W *w, W *v);                                             \
    void el_adam##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                   \
                                    const float *scaling, W *w, float *m, float *v);                                   \
    void el_adamw##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                  \
                                     const float *scaling, W *w, float *m, float *v);

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

#define EL_NO_SCRATCH
#define EL_SCRATCH , void *scratch

EL_CONV2D(f32, float, ref, EL_NO_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, ref, EL_NO_SCRATCH)
EL_DEPTHWISE(f32, float, ref, EL_NO_SCRATCH)
EL_DENSE(f32, float, ref, EL_NO_SCRATCH)
EL_SHIFT_LAYERS(f32, float, ref, EL_NO_SCRATCH)
EL_SHIFT_LAYERS(f32, float, blk, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, fix, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, thumb, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, thumb_m4, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, rvf, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, mve, EL_SCRATCH)
EL_SHIFT_LAYERS(f32, float, rvv, EL_SCRATCH)
EL_KERNELS(f32, float, ref)
EL_KERNELS_F32(ref)
EL_STEPS_F32(f32, ref)
EL_CONV2D(pam, float, ref, EL_NO_SCRATCH)
EL_CONV2D_WEIGHTS(pam, float, ref, EL_NO_SCRATCH)
EL_DEPTHWISE(pam, float, ref, EL_NO_SCRATCH)
EL_DENSE(pam, float, ref, EL_NO_SCRATCH)
EL_EXACT_LAYERS(pam, float, ref)
EL_KERNELS(pam, float, ref)
EL_STEPS_F32(pam, ref)
EL_LATENT_STEPS(ref)
EL_LATENT_STEPS(blk)
EL_CONV2D(f16, el_f16, ref, EL_NO_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, ref, EL_NO_SCRATCH)
EL_DEPTHWISE(f16, el_f16, ref, EL_NO_SCRATCH)
EL_DENSE(f16, el_f16, ref, EL_NO_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, ref, EL_NO_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, blk, EL_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, fix, EL_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, mve, EL_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, rvv, EL_SCRATCH)
EL_SHIFT_LAYERS(f16, el_f16, xfvec, EL_SCRATCH)
EL_KERNELS(f16, el_f16, ref)
EL_CASTS_F16(ref)
EL_STEPS_F16(ref, _step, el_f16)
EL_STEPS_F16(ref, _mixed_step, float)
EL_KERNELS_F32(mve)
EL_STEPS_F32(f32, mve)
EL_KERNELS_F32(rvv)
EL_STEPS_F32(f32, rvv)
EL_CASTS_F16(mve)
EL_CASTS_F16(rvv)
EL_STEPS_F16(rvv, _step, el_f16)
EL_STEPS_F16(rvv, _mixed_step, float)
EL_STEPS_F16(mve, _step, el_f16)
EL_STEPS_F16(mve, _mixed_step, float)
EL_CONV2D(f32, float, blk, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, blk, EL_NO_SCRATCH)
EL_DEPTHWISE(f32, float, blk, EL_NO_SCRATCH)
EL_DENSE(f32, float, blk, EL_NO_SCRATCH)
EL_KERNELS(f32, float, blk)
EL_CONV2D(pam, float, blk, EL_SCRATCH)
EL_CONV2D_WEIGHTS(pam, float, blk, EL_NO_SCRATCH)
EL_DEPTHWISE(pam, float, blk, EL_NO_SCRATCH)
EL_KERNELS(pam, float, blk)
EL_CONV2D(f16, el_f16, blk, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, blk, EL_NO_SCRATCH)
EL_DENSE(f16, el_f16, blk, EL_NO_SCRATCH)
EL_DEPTHWISE(f16, el_f16, blk, EL_NO_SCRATCH)
EL_KERNELS(f16, el_f16, blk)
EL_CONV2D(f16, el_f16, xfvec, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, xfvec, EL_SCRATCH)
EL_DENSE(f16, el_f16, xfvec, EL_NO_SCRATCH)
EL_DEPTHWISE(f16, el_f16, xfvec, EL_NO_SCRATCH)
EL_KERNELS(f16, el_f16, xfvec)
EL_CASTS_F16(xfvec)
EL_STEPS_F16(xfvec, _step, el_f16)
EL_CONV2D(f32, float, rvv, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, rvv, EL_NO_SCRATCH)
EL_DEPTHWISE(f32, float, rvv, EL_NO_SCRATCH)
EL_DENSE(f32, float, rvv, EL_NO_SCRATCH)
EL_KERNELS(f32, float, rvv)
EL_CONV2D(f16, el_f16, rvv, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, rvv, EL_SCRATCH)
EL_DEPTHWISE(f16, el_f16, rvv, EL_NO_SCRATCH)
EL_DENSE(f16, el_f16, rvv, EL_NO_SCRATCH)
EL_KERNELS(f16, el_f16, rvv)
EL_CONV2D(f16, el_f16, mve, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, mve, EL_SCRATCH)
EL_DEPTHWISE(f16, el_f16, mve, EL_SCRATCH)
EL_DENSE(f16, el_f16, mve, EL_NO_SCRATCH)
EL_KERNELS(f16, el_f16, mve)
EL_CONV2D(f32, float, mve, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, mve, EL_SCRATCH)
EL_DEPTHWISE(f32, float, mve, EL_SCRATCH)
EL_DENSE(f32, float, mve, EL_NO_SCRATCH)
EL_KERNELS(f32, float, mve)
EL_CONV2D(f16, el_f16, thumb, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, thumb, EL_SCRATCH)
EL_DEPTHWISE(f16, el_f16, thumb, EL_SCRATCH)
EL_DENSE(f16, el_f16, thumb, EL_NO_SCRATCH)
EL_CONV2D(f32, float, thumb, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, thumb, EL_SCRATCH)
EL_DEPTHWISE(f32, float, thumb, EL_NO_SCRATCH)
EL_DENSE(f32, float, thumb, EL_NO_SCRATCH)
EL_CONV2D(f16, el_f16, thumb_m4, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f16, el_f16, thumb_m4, EL_SCRATCH)
EL_DEPTHWISE(f16, el_f16, thumb_m4, EL_SCRATCH)
EL_DENSE(f16, el_f16, thumb_m4, EL_NO_SCRATCH)
EL_CONV2D(f32, float, thumb_m4, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, thumb_m4, EL_SCRATCH)
EL_DEPTHWISE(f32, float, thumb_m4, EL_NO_SCRATCH)
EL_DENSE(f32, float, thumb_m4, EL_NO_SCRATCH)
EL_CONV2D(f32, float, rvf, EL_SCRATCH)
EL_CONV2D_WEIGHTS(f32, float, rvf, EL_SCRATCH)
EL_DENSE(f32, float, rvf, EL_NO_SCRATCH)
EL_DEPTHWISE(f32, float, rvf, EL_NO_SCRATCH)
EL_RECURRENT_F32(ref)
EL_RECURRENT_F32(blk)
EL_CONV2D_S8(ref, EL_NO_SCRATCH)
EL_DENSE_S8(ref, EL_NO_SCRATCH)
EL_DEPTHWISE_S8(ref, EL_NO_SCRATCH)
EL_KERNELS_S8(ref)
EL_SHIFT_LAYERS_S8(ref, EL_NO_SCRATCH)
EL_SHIFT_LAYERS_S8(blk, EL_SCRATCH)
EL_CONV2D_S8(blk, EL_SCRATCH)
EL_CONV2D_S8(rvf, EL_SCRATCH)
EL_DEPTHWISE_S8(rvf, EL_SCRATCH)
EL_DENSE_S8(blk, EL_SCRATCH)
EL_DEPTHWISE_S8(blk, EL_SCRATCH)
EL_KERNELS_S8(blk)
EL_CONV2D_S8(dsp, EL_SCRATCH)
EL_DENSE_S8(dsp, EL_SCRATCH)
EL_DEPTHWISE_S8(dsp, EL_SCRATCH)
EL_KERNELS_S8(dsp)
EL_CONV2D_S8(mve, EL_SCRATCH)
EL_DENSE_S8(mve, EL_SCRATCH)
EL_DEPTHWISE_S8(mve, EL_SCRATCH)
EL_KERNELS_S8(mve)
EL_CONV2D_S8(rvv, EL_SCRATCH)
EL_DENSE_S8(rvv, EL_SCRATCH)
EL_DEPTHWISE_S8(rvv, EL_NO_SCRATCH)
EL_KERNELS_S8(rvv)

#endif
