/* Depthwise convolution of int8 maps across channels, in vectors of RISC-V: any kernel, stride and padding. Taps
 * outside the map are left out; those inside are widened without their zero point. */
#include "rescale_s8.h"

void el_depthwise_conv2d_fwd_s8__rvv(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                                     const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                                     const int32_t *shift, int8_t *y)
{
    const int32_t channels = s->in_c;
    const int left_too = !el_rightwards(shift, channels);
    const el_layer_s8 l = {s->k_h * s->k_w, channels, x_zero, y_zero,   min, max, w, b,
                           multiplier,      shift,    0,      left_too, 0};
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const int32_t top = el_max(-iy, 0);
        const int32_t bottom = el_min(s->in_h - iy, s->k_h);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += channels) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const int32_t left = el_max(-ix, 0);
            const int32_t right = el_min(s->in_w - ix, s->k_w);
            for (int32_t c = 0; c < channels;) {
                const size_t vl = __riscv_vsetvl_e32m4((size_t)(channels - c));
                vint32m4_t v = b != 0 ? __riscv_vle32_v_i32m4(b + c, vl) : __riscv_vmv_v_x_i32m4(0, vl);
                for (int32_t ky = top; ky < bottom; ky++) {
                    const int8_t *xp = x + ((iy + ky) * s->in_w + ix + left) * channels + c;
                    const int8_t *wp = w + (ky * s->k_w + left) * channels + c;
                    for (int32_t kx = left; kx < right; kx++, xp += channels, wp += channels) {
                        const vint8m1_t bytes = __riscv_vle8_v_i8m1(xp, vl);
                        const vint16m2_t taps = __riscv_vsext_vf2_i16m2(__riscv_vle8_v_i8m1(wp, vl), vl);
                        v = __riscv_vwmacc_vv_i32m4(v, __riscv_vwsub_vx_i16m2(bytes, (int8_t)x_zero, vl), taps, vl);
                    }
                }
                el_rescale_vector_s8(&l, c, v, y + c, vl);
                c += (int32_t)vl;
            }
        }
    }
}
