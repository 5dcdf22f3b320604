/* Convolution of int8 maps with a tile of 3 output positions x 2 output channels in registers: any size, stride,
 * padding and groups.
 *
 * The windows of 3 positions are gathered into scratch side by side, widened and with x_zero taken off, so that the
 * padding is zeros and the sums are products alone. A tile at the end computes positions or channels that are not there
 * from its last one and stores only what is. */
#include "el/kernels.h"
#include "el/quant.h"
#include "tile.h"

enum { POSITIONS = 3, CHANNELS = 2 };

/* to[(ky, kx, c)][0] of POSITIONS columns = the window at (iy, ix), channels [c0, c0 + cg), minus x_zero. */
static void gather(const el_window *s, int32_t x_zero, const int8_t *x, int32_t iy, int32_t ix, int32_t c0, int32_t cg,
                   int16_t *to)
{
    for (int32_t ky = 0; ky < s->k_h; ky++, iy++) {
        const int row_inside = iy >= 0 && iy < s->in_h;
        for (int32_t kx = 0; kx < s->k_w; kx++) {
            const int16_t *end = to + POSITIONS * cg;
            if (row_inside && ix + kx >= 0 && ix + kx < s->in_w) {
                const int8_t *from = x + (iy * s->in_w + ix + kx) * s->in_c + c0;
                for (; to != end; to += POSITIONS) {
                    *to = (int16_t)(*from++ - x_zero);
                }
            } else {
                for (; to != end; to += POSITIONS) {
                    *to = 0;
                }
            }
        }
    }
}

/* sums[p][c] += v[i][p] * w[c][i] over i < k. */
EL_INLINE void tile_dot(int32_t sums[POSITIONS][CHANNELS], int32_t k, const int16_t *v, const int8_t *w0,
                        const int8_t *w1)
{
    int32_t s00 = sums[0][0];
    int32_t s10 = sums[1][0];
    int32_t s20 = sums[2][0];
    int32_t s01 = sums[0][1];
    int32_t s11 = sums[1][1];
    int32_t s21 = sums[2][1];
    for (const int8_t *end = w0 + k; w0 != end; v += POSITIONS) {
        const int32_t a = *w0++;
        const int32_t b = *w1++;
        int32_t x = v[0];
        s00 += x * a;
        s01 += x * b;
        x = v[1];
        s10 += x * a;
        s11 += x * b;
        x = v[2];
        s20 += x * a;
        s21 += x * b;
    }
    sums[0][0] = s00;
    sums[1][0] = s10;
    sums[2][0] = s20;
    sums[0][1] = s01;
    sums[1][1] = s11;
    sums[2][1] = s21;
}

void el_conv2d_fwd_s8__blk(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                           const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                           const int32_t *shift, int8_t *y, void *scratch)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t k = s->k_h * s->k_w * cg;
    const int32_t positions = s->out_h * s->out_w;
    int16_t *windows = scratch;
    for (int32_t p = 0; p < positions; p += POSITIONS, y += POSITIONS * s->out_c) {
        const int32_t rows = el_min(POSITIONS, positions - p);
        for (int32_t o = 0; o < s->out_c;) {
            const int32_t group = o / og;
            if (o == group * og) {
                for (int32_t i = 0; i < POSITIONS; i++) {
                    const int32_t at = p + el_min(i, rows - 1);
                    gather(s, x_zero, x, at / s->out_w * s->stride_h - s->pad_top,
                           at % s->out_w * s->stride_w - s->pad_left, group * cg, cg, windows + i);
                }
            }
            const int32_t cols = el_min(CHANNELS, (group + 1) * og - o);
            int32_t sums[POSITIONS][CHANNELS];
            for (int32_t i = 0; i < POSITIONS; i++) {
                sums[i][0] = b != 0 ? b[o] : 0;
                sums[i][1] = b != 0 ? b[o + cols - 1] : 0;
            }
            tile_dot(sums, k, windows, w + o * k, w + (o + cols - 1) * k);
            for (int32_t i = 0; i < rows; i++) {
                for (int32_t j = 0; j < cols; j++) {
                    y[i * s->out_c + o + j] =
                        el_to_s8(el_rescale(sums[i][j], multiplier[o + j], shift[o + j]), y_zero, min, max);
                }
            }
            o += cols;
        }
    }
}
