/* Recurrent layers with register tiles. */
#include "../recurrent.h"
#include "tile.h"

static void el_product(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    el_dense_fwd_f32__blk(in, out, x, w, b, y);
}

static void el_product_back(int32_t in, int32_t out, const float *y, const float *w, float *x)
{
    el_dense_bwd_x_f32__blk(in, out, in, y, w, x);
}

/* One tile of w: the sum over all rows, then one addition to memory. */
EL_INLINE void sum_tile(int rows, int cols, int32_t count, float scale, const float *y, int32_t ldy, const float *x,
                        int32_t in, float *w)
{
    el_tile t = {0};
    el_tile_outer(&t, rows, cols, count, y, ldy, x, in);
    el_tile_add(&t, rows, cols, scale, w, in);
}

static void el_product_sum(int32_t in, int32_t out, int32_t rows, float scale, const float *x, const float *y,
                           int32_t ldy, float *w)
{
    int32_t o = 0;
    for (; o + 4 <= out; o += 4, y += 4, w += 4 * in) {
        int32_t i = 0;
        for (; i + 4 <= in; i += 4) {
            sum_tile(4, 4, rows, scale, y, ldy, x + i, in, w + i);
        }
        for (; i < in; i++) {
            sum_tile(4, 1, rows, scale, y, ldy, x + i, in, w + i);
        }
    }
    for (; o < out; o++, y++, w += in) {
        for (int32_t i = 0; i < in; i++) {
            sum_tile(1, 1, rows, scale, y, ldy, x + i, in, w + i);
        }
    }
}

void el_rnn_fwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *x, const float *r,
                         const float *b, const float *start, float *y)
{
    el_rnn_forward(steps, hidden, reverse, relu, x, r, b, start, y);
}

void el_rnn_bwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *y, const float *dy,
                         const float *r, float *dx, void *scratch)
{
    el_rnn_backward(steps, hidden, reverse, relu, y, dy, r, dx, scratch);
}

void el_lstm_fwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, const float *x, const float *r,
                          const float *b, const float *start, const float *cell, float *y, float *gates, float *cells,
                          void *scratch)
{
    el_lstm_forward(steps, hidden, reverse, x, r, b, start, cell, y, gates, cells, scratch);
}

void el_lstm_bwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, const float *gates, const float *cells,
                          const float *dy, const float *r, const float *cell, float *dx, void *scratch)
{
    el_lstm_backward(steps, hidden, reverse, gates, cells, dy, r, cell, dx, scratch);
}

void el_gru_fwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset, const float *x,
                         const float *r, const float *b, const float *start, float *y, float *gates, void *scratch)
{
    el_gru_forward(steps, hidden, reverse, linear_before_reset, x, r, b, start, y, gates, scratch);
}

void el_gru_bwd_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,
                         const float *gates, const float *y, const float *dy, const float *r, const float *b,
                         const float *start, float *dx, float *side, void *scratch)
{
    el_gru_backward(steps, hidden, reverse, linear_before_reset, gates, y, dy, r, b, start, dx, side, scratch);
}

void el_gru_bwd_w_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset, float scale,
                           const float *d, const float *side, const float *y, const float *start, float *dr)
{
    el_gru_weights(steps, hidden, reverse, linear_before_reset, scale, d, side, y, start, dr);
}

void el_recurrent_bwd_w_f32__blk(int32_t steps, int32_t hidden, int32_t reverse, int32_t gates, float scale,
                                 const float *d, const float *y, const float *start, float *dr)
{
    el_recurrent_weights(steps, hidden, reverse, gates * hidden, scale, d, gates * hidden, y, start, dr);
}
