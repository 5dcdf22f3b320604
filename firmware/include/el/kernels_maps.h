/* What has no weights, or one a channel, see kernels.h: functions of maps, losses, casts. */
#ifndef EL_KERNELS_MAPS_H
#define EL_KERNELS_MAPS_H

#include "el/f16.h"
#include "el/model.h"
#include "el/ops.h"

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

#endif
