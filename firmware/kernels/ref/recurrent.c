/* Recurrent layers with plain products, and the gradient of a GRU's recurrent bias. */
#include "../recurrent.h"

static void el_product(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    for (int32_t o = 0; o < out; o++) {
        float acc = b != NULL ? b[o] : 0.0f;
        for (int32_t i = 0; i < in; i++) {
            acc += w[o * in + i] * x[i];
        }
        y[o] = acc;
    }
}

static void el_product_back(int32_t in, int32_t out, const float *y, const float *w, float *x)
{
    for (int32_t i = 0; i < in; i++) {
        float acc = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            acc += w[o * in + i] * y[o];
        }
        x[i] = acc;
    }
}

static void el_product_sum(int32_t in, int32_t out, int32_t rows, float scale, const float *x, const float *y,
                           int32_t ldy, float *w)
{
    for (int32_t o = 0; o < out; o++) {
        for (int32_t i = 0; i < in; i++) {
            float acc = 0.0f;
            for (int32_t t = 0; t < rows; t++) {
                acc += y[t * ldy + o] * x[t * in + i];
            }
            w[o * in + i] += scale * acc;
        }
    }
}

void el_rnn_fwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *x, const float *r,
                         const float *b, const float *start, float *y)
{
    el_rnn_forward(steps, hidden, reverse, relu, x, r, b, start, y);
}

void el_rnn_bwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *y, const float *dy,
                         const float *r, float *dx, void *scratch)
{
    el_rnn_backward(steps, hidden, reverse, relu, y, dy, r, dx, scratch);
}

void el_lstm_fwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, const float *x, const float *r,
                          const float *b, const float *start, const float *cell, float *y, float *gates, float *cells,
                          void *scratch)
{
    el_lstm_forward(steps, hidden, reverse, x, r, b, start, cell, y, gates, cells, scratch);
}

void el_lstm_bwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, const float *gates, const float *cells,
                          const float *dy, const float *r, const float *cell, float *dx, void *scratch)
{
    el_lstm_backward(steps, hidden, reverse, gates, cells, dy, r, cell, dx, scratch);
}

void el_gru_fwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset, const float *x,
                         const float *r, const float *b, const float *start, float *y, float *gates, void *scratch)
{
    el_gru_forward(steps, hidden, reverse, linear_before_reset, x, r, b, start, y, gates, scratch);
}

void el_gru_bwd_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,
                         const float *gates, const float *y, const float *dy, const float *r, const float *b,
                         const float *start, float *dx, float *side, void *scratch)
{
    el_gru_backward(steps, hidden, reverse, linear_before_reset, gates, y, dy, r, b, start, dx, side, scratch);
}

void el_gru_bwd_w_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset, float scale,
                           const float *d, const float *side, const float *y, const float *start, float *dr)
{
    el_gru_weights(steps, hidden, reverse, linear_before_reset, scale, d, side, y, start, dr);
}

void el_recurrent_bwd_w_f32__ref(int32_t steps, int32_t hidden, int32_t reverse, int32_t gates, float scale,
                                 const float *d, const float *y, const float *start, float *dr)
{
    el_recurrent_weights(steps, hidden, reverse, gates * hidden, scale, d, gates * hidden, y, start, dr);
}

void el_gru_bias_bwd_f32__ref(int32_t steps, int32_t hidden, float scale, const float *d, const float *side, float *db)
{
    for (int32_t o = 0; o < 3 * hidden; o++) {
        const float *from = o < 2 * hidden ? d + o : side + (o - 2 * hidden);
        const int32_t ld = o < 2 * hidden ? 3 * hidden : hidden;
        float acc = 0.0f;
        for (int32_t t = 0; t < steps; t++) {
            acc += from[t * ld];
        }
        db[o] += scale * acc;
    }
}
