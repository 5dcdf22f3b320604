/* Recurrent layers over three products that each instruction set brings. x is [steps][gates * hidden], the states y are
 * [steps][hidden], recurrent weights r are [gates * hidden][hidden]; a reverse layer starts at the last row. What may
 * be NULL: the bias b, a state or cell before the first step (then zero), and what only the backward pass needs. Each
 * step reads its row of x before it writes gates, which may be the same array; the same holds of gates and dx, of dy
 * and side, and of dy and dx where there are no gates. */
#ifndef EL_RECURRENT_H
#define EL_RECURRENT_H

#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

/* y[o] = b[o] + sum_i w[o][i] x[i], b may be NULL */
static void el_product(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y);
/* x[i] = sum_o w[o][i] y[o] */
static void el_product_back(int32_t in, int32_t out, const float *y, const float *w, float *x);
/* w[o][i] += scale * sum_t y[t][o] x[t][i], rows of y ldy apart, rows of x contiguous */
static void el_product_sum(int32_t in, int32_t out, int32_t rows, float scale, const float *x, const float *y,
                           int32_t ldy, float *w);

/* The row of step k of a sequence, and that of the step before it. */
static inline int32_t el_row(int32_t k, int32_t steps, int32_t reverse)
{
    return reverse != 0 ? steps - 1 - k : k;
}

static inline const float *el_state(int32_t k, int32_t steps, int32_t hidden, int32_t reverse, const float *y,
                                    const float *start)
{
    return k == 0 ? start : y + el_row(k - 1, steps, reverse) * hidden;
}

static inline float el_or_zero(const float *row, int32_t k)
{
    return row != NULL ? row[k] : 0.0f;
}

/* s = b + r h for `out` rows; without a state only the bias is left. */
static inline void el_hidden(int32_t hidden, int32_t out, const float *h, const float *r, const float *b, float *s)
{
    el_product(h != NULL ? hidden : 0, out, h != NULL ? h : r, r, b, s);
}

static inline void el_rnn_forward(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *x,
                                  const float *r, const float *b, const float *start, float *y)
{
    for (int32_t k = 0; k < steps; k++) {
        const int32_t t = el_row(k, steps, reverse);
        const float *in = x + t * hidden;
        float *out = y + t * hidden;
        el_hidden(hidden, hidden, el_state(k, steps, hidden, reverse, y, start), r, b, out);
        for (int32_t i = 0; i < hidden; i++) {
            const float v = in[i] + out[i];
            out[i] = relu != 0 ? (v < 0.0f ? 0.0f : v) : el_tanhf(v);
        }
    }
}

static inline void el_rnn_backward(int32_t steps, int32_t hidden, int32_t reverse, int32_t relu, const float *y,
                                   const float *dy, const float *r, float *dx, float *carry)
{
    for (int32_t k = steps - 1; k >= 0; k--) {
        const int32_t t = el_row(k, steps, reverse) * hidden;
        for (int32_t i = 0; i < hidden; i++) {
            const float h = y[t + i];
            const float d = dy[t + i] + (k < steps - 1 ? carry[i] : 0.0f);
            dx[t + i] = relu != 0 ? (h > 0.0f ? d : 0.0f) : d * (1.0f - h * h);
        }
        if (k > 0) {
            el_product_back(hidden, hidden, dx + t, r, carry);
        }
    }
}

/* scratch: the gates of a step and the cell, 5 * hidden */
static inline void el_lstm_forward(int32_t steps, int32_t hidden, int32_t reverse, const float *x, const float *r,
                                   const float *b, const float *start, const float *cell, float *y, float *gates,
                                   float *cells, float *s)
{
    float *c = s + 4 * hidden;
    for (int32_t k = 0; k < steps; k++) {
        const int32_t t = el_row(k, steps, reverse);
        const float *in = x + t * 4 * hidden;
        el_hidden(hidden, 4 * hidden, el_state(k, steps, hidden, reverse, y, start), r, b, s);
        for (int32_t i = 0; i < 3 * hidden; i++) {
            s[i] = el_sigmoidf(in[i] + s[i]);
        }
        for (int32_t i = 0; i < hidden; i++) {
            const float g = s[3 * hidden + i] = el_tanhf(in[3 * hidden + i] + s[3 * hidden + i]);
            c[i] = s[2 * hidden + i] * (k > 0 ? c[i] : el_or_zero(cell, i)) + s[i] * g;
            y[t * hidden + i] = s[hidden + i] * el_tanhf(c[i]);
        }
        for (int32_t i = 0; gates != NULL && i < 4 * hidden; i++) {
            gates[t * 4 * hidden + i] = s[i];
        }
        for (int32_t i = 0; cells != NULL && i < hidden; i++) {
            cells[t * hidden + i] = c[i];
        }
    }
}

/* scratch: what the steps behind ask of state and cell, 2 * hidden */
static inline void el_lstm_backward(int32_t steps, int32_t hidden, int32_t reverse, const float *gates,
                                    const float *cells, const float *dy, const float *r, const float *cell, float *dx,
                                    float *carry)
{
    float *dc = carry + hidden;
    for (int32_t i = 0; i < 2 * hidden; i++) {
        carry[i] = 0.0f;
    }
    for (int32_t k = steps - 1; k >= 0; k--) {
        const int32_t t = el_row(k, steps, reverse);
        const float *gate = gates + t * 4 * hidden;
        const float *before = el_state(k, steps, hidden, reverse, cells, cell);
        float *d = dx + t * 4 * hidden;
        for (int32_t i = 0; i < hidden; i++) {
            const float in = gate[i];
            const float out = gate[hidden + i];
            const float forget = gate[2 * hidden + i];
            const float g = gate[3 * hidden + i];
            const float squashed = el_tanhf(cells[t * hidden + i]);
            const float dh = dy[t * hidden + i] + carry[i];
            const float dcell = dc[i] + dh * out * (1.0f - squashed * squashed);
            d[i] = dcell * g * (in * (1.0f - in));
            d[hidden + i] = dh * squashed * (out * (1.0f - out));
            d[2 * hidden + i] = dcell * el_or_zero(before, i) * (forget * (1.0f - forget));
            d[3 * hidden + i] = dcell * in * (1.0f - g * g);
            dc[i] = dcell * forget;
        }
        if (k > 0) {
            el_product_back(hidden, 4 * hidden, d, r, carry);
        }
    }
}

/* scratch: the gates of a step and the state that the reset gate let through, 4 * hidden */
static inline void el_gru_forward(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,
                                  const float *x, const float *r, const float *b, const float *start, float *y,
                                  float *gates, float *s)
{
    const int32_t cut = 2 * hidden;
    float *through = s + 3 * hidden;
    for (int32_t k = 0; k < steps; k++) {
        const int32_t t = el_row(k, steps, reverse);
        const float *in = x + t * 3 * hidden;
        const float *h = el_state(k, steps, hidden, reverse, y, start);
        el_hidden(hidden, linear_before_reset != 0 ? 3 * hidden : cut, h, r, b, s);
        for (int32_t i = 0; i < cut; i++) {
            s[i] = el_sigmoidf(in[i] + s[i]);
        }
        if (linear_before_reset == 0) {
            for (int32_t i = 0; i < hidden; i++) {
                through[i] = s[hidden + i] * el_or_zero(h, i);
            }
            el_hidden(hidden, hidden, h != NULL ? through : NULL, r + cut * hidden, b != NULL ? b + cut : NULL,
                      s + cut);
        }
        for (int32_t i = 0; i < hidden; i++) {
            const float scale = linear_before_reset != 0 ? s[hidden + i] : 1.0f;
            const float n = s[cut + i] = el_tanhf(in[cut + i] + scale * s[cut + i]);
            y[t * hidden + i] = (1.0f - s[i]) * n + s[i] * el_or_zero(h, i);
        }
        for (int32_t i = 0; gates != NULL && i < 3 * hidden; i++) {
            gates[t * 3 * hidden + i] = s[i];
        }
    }
}

/* scratch: what the steps behind ask of the state, a product, and a row of the state's own gradient, 5 * hidden. side
 * is the gradient of the new gate's product, or with linear_before_reset 0 the state that the reset gate let through.
 */
static inline void el_gru_backward(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,
                                   const float *gates, const float *y, const float *dy, const float *r, const float *b,
                                   const float *start, float *dx, float *side, float *carry)
{
    const int32_t cut = 2 * hidden;
    const float *new_r = r + cut * hidden;
    float *product = carry + hidden;
    float *own = product + hidden;
    for (int32_t k = steps - 1; k >= 0; k--) {
        const int32_t t = el_row(k, steps, reverse);
        const float *gate = gates + t * 3 * hidden;
        const float *h = el_state(k, steps, hidden, reverse, y, start);
        float *d = dx + t * 3 * hidden;
        if (linear_before_reset != 0) {
            el_hidden(hidden, hidden, h, new_r, b != NULL ? b + cut : NULL, product);
        }
        for (int32_t i = 0; i < hidden; i++) {
            const float z = gate[i];
            const float reset = gate[hidden + i];
            const float n = gate[cut + i];
            const float last = el_or_zero(h, i);
            const float dh = dy[t * hidden + i] + (k < steps - 1 ? carry[i] : 0.0f);
            const float dn = dh * (1.0f - z) * (1.0f - n * n);
            carry[i] = dh * z;
            own[i] = d[i] = dh * (last - n) * (z * (1.0f - z));
            d[cut + i] = dn;
            if (linear_before_reset != 0) {
                own[hidden + i] = d[hidden + i] = dn * product[i] * (reset * (1.0f - reset));
                own[cut + i] = dn * reset;
            } else {
                own[cut + i] = reset * last;
                d[hidden + i] = reset; /* until what comes through the product is known */
            }
            if (side != NULL) {
                side[t * hidden + i] = own[cut + i];
            }
        }
        if (linear_before_reset == 0) {
            el_product_back(hidden, hidden, d + cut, new_r, product);
            for (int32_t i = 0; i < hidden; i++) {
                const float reset = d[hidden + i];
                carry[i] += product[i] * reset;
                own[hidden + i] = d[hidden + i] = product[i] * el_or_zero(h, i) * (reset * (1.0f - reset));
            }
        }
        if (k > 0) {
            el_product_back(hidden, linear_before_reset != 0 ? 3 * hidden : cut, own, r, product);
            for (int32_t i = 0; i < hidden; i++) {
                carry[i] += product[i];
            }
        }
    }
}

/* dr[o][i] += scale * sum over steps of d[t][o] times the state before step t; `out` of the ldd values of a row of d */
static inline void el_recurrent_weights(int32_t steps, int32_t hidden, int32_t reverse, int32_t out, float scale,
                                        const float *d, int32_t ldd, const float *y, const float *start, float *dr)
{
    const float *later = reverse != 0 ? d : d + ldd;
    const float *states = reverse != 0 ? y + hidden : y;
    el_product_sum(hidden, out, steps - 1, scale, states, later, ldd, dr);
    if (start != NULL) {
        el_product_sum(hidden, out, 1, scale, start, d + el_row(0, steps, reverse) * ldd, ldd, dr);
    }
}

static inline void el_gru_weights(int32_t steps, int32_t hidden, int32_t reverse, int32_t linear_before_reset,
                                  float scale, const float *d, const float *side, const float *y, const float *start,
                                  float *dr)
{
    const int32_t cut = 2 * hidden;
    el_recurrent_weights(steps, hidden, reverse, cut, scale, d, 3 * hidden, y, start, dr);
    if (linear_before_reset != 0) {
        el_recurrent_weights(steps, hidden, reverse, hidden, scale, side, hidden, y, start, dr + cut * hidden);
    } else {
        el_product_sum(hidden, hidden, steps, scale, side, d + cut, 3 * hidden, dr + cut * hidden);
    }
}

#endif
