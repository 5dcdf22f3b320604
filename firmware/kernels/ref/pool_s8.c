/* Pools of int8 maps. Padding never wins a maximum and is not counted in an average. */
#include "el/kernels.h"
#include "el/quant.h"

/* The part of a window that lies inside the map, as rows and columns of the map. */
typedef struct {
    int32_t top, bottom, left, right;
} inside;

static inside clip(const el_window *s, int32_t oy, int32_t ox)
{
    const int32_t iy = oy * s->stride_h - s->pad_top;
    const int32_t ix = ox * s->stride_w - s->pad_left;
    return (inside){
        .top = iy < 0 ? 0 : iy,
        .bottom = iy + s->k_h > s->in_h ? s->in_h : iy + s->k_h,
        .left = ix < 0 ? 0 : ix,
        .right = ix + s->k_w > s->in_w ? s->in_w : ix + s->k_w,
    };
}

static int32_t sum(const el_window *s, const inside *part, int32_t c, int32_t zero, const int8_t *x)
{
    int32_t acc = 0;
    for (int32_t iy = part->top; iy < part->bottom; iy++) {
        for (int32_t ix = part->left; ix < part->right; ix++) {
            acc += x[(iy * s->in_w + ix) * s->in_c + c] - zero;
        }
    }
    return acc;
}

void el_max_pool2d_fwd_s8__ref(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const inside part = clip(s, oy, ox);
            for (int32_t c = 0; c < s->in_c; c++) {
                int32_t best = INT8_MIN;
                for (int32_t iy = part.top; iy < part.bottom; iy++) {
                    for (int32_t ix = part.left; ix < part.right; ix++) {
                        const int32_t v = x[(iy * s->in_w + ix) * s->in_c + c];
                        best = v > best ? v : best;
                    }
                }
                *y++ = el_to_s8(best, 0, min, max);
            }
        }
    }
}

void el_avg_pool2d_fwd_s8__ref(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const inside part = clip(s, oy, ox);
            const int32_t n = (part.bottom - part.top) * (part.right - part.left);
            for (int32_t c = 0; c < s->in_c; c++) {
                const int32_t acc = sum(s, &part, c, 0, x);
                *y++ = el_to_s8((acc > 0 ? acc + n / 2 : acc - n / 2) / n, 0, min, max);
            }
        }
    }
}

void el_mean_fwd_s8__ref(const el_window *s, int32_t multiplier, int32_t shift, int32_t x_zero, int32_t y_zero,
                         int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const inside part = clip(s, oy, ox);
            for (int32_t c = 0; c < s->in_c; c++) {
                const int32_t acc = sum(s, &part, c, x_zero, x);
                *y++ = el_to_s8(el_rescale(acc, multiplier, shift), y_zero, min, max);
            }
        }
    }
}
