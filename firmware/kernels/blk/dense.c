/* Fully connected layer with register tiles, and the gradient of a bias some channels at a time. */
#include "el/kernels.h"
#include "tile.h"

void EL_BLK(dense_fwd)(int32_t in, int32_t out, const el_real *x, const el_real *w, const el_real *b, el_real *y)
{
    int32_t o = 0;
    for (; o + 4 <= out; o += 4, w += 4 * in) {
        el_tile t = el_tile_start(4, b != 0 ? b + o : 0);
        el_tile_dot(&t, 1, 4, in, x, x, x, x, w, w + in, w + 2 * in, w + 3 * in);
        el_tile_store(&t, 1, 4, y + o, 0);
    }
    for (; o < out; o++, w += in) {
        el_tile t = el_tile_start(1, b != 0 ? b + o : 0);
        el_tile_dot(&t, 1, 1, in, x, x, x, x, w, w, w, w);
        el_tile_store(&t, 1, 1, y + o, 0);
    }
}

void EL_BLK(dense_bwd_x)(int32_t in, int32_t out, int32_t pitch, const el_real *dy, const el_real *w, el_real *dx)
{
    int32_t i = 0;
    for (; i + 4 <= in; i += 4) {
        el_tile t = {0};
        el_tile_rows(&t, 1, 4, out, dy, dy, dy, dy, w + i, pitch);
        el_tile_store(&t, 1, 4, dx + i, 0);
    }
    for (; i < in; i++) {
        el_tile t = {0};
        el_tile_rows(&t, 1, 1, out, dy, dy, dy, dy, w + i, pitch);
        el_tile_store(&t, 1, 1, dx + i, 0);
    }
}

/* Tiles of 4 outputs x 4 inputs: each is read, changed and written once, and shares its loads of x. */
void EL_BLK(dense_bwd_w)(int32_t in, int32_t out, float scale, const el_real *x, const el_real *dy, el_real *dw)
{
    int32_t o = 0;
    for (; o + 4 <= out; o += 4, dw += 4 * in) {
        const float d0 = scale * get(&dy[o]);
        const float d1 = scale * get(&dy[o + 1]);
        const float d2 = scale * get(&dy[o + 2]);
        const float d3 = scale * get(&dy[o + 3]);
        el_real *w0 = dw;
        el_real *w1 = w0 + in;
        el_real *w2 = w1 + in;
        el_real *w3 = w2 + in;
        const el_real *p = x;
        for (const el_real *end = x + (in & ~3); p != end; p += 4, w0 += 4, w1 += 4, w2 += 4, w3 += 4) {
            const float v0 = get(&p[0]);
            const float v1 = get(&p[1]);
            const float v2 = get(&p[2]);
            const float v3 = get(&p[3]);
            el_row_add(4, d0, v0, v1, v2, v3, w0);
            el_row_add(4, d1, v0, v1, v2, v3, w1);
            el_row_add(4, d2, v0, v1, v2, v3, w2);
            el_row_add(4, d3, v0, v1, v2, v3, w3);
        }
        for (const el_real *end = x + in; p != end; p++, w0++, w1++, w2++, w3++) {
            const float v = get(p);
            add(w0, d0 * v);
            add(w1, d1 * v);
            add(w2, d2 * v);
            add(w3, d3 * v);
        }
    }
    for (; o < out; o++, dw += in) {
        const float d = scale * get(&dy[o]);
        for (int32_t i = 0; i < in; i++) {
            add(&dw[i], d * get(&x[i]));
        }
    }
}

typedef struct {
    float c0, c1, c2, c3;
} el_sums;

/* s[c] += p[c] for columns 4, 2 or 1, a constant */
EL_INLINE void el_sums_add(int columns, el_sums *s, const el_real *p)
{
    s->c0 += get(&p[0]);
    if (columns > 1) {
        s->c1 += get(&p[1]);
    }
    if (columns > 2) {
        s->c2 += get(&p[2]);
        s->c3 += get(&p[3]);
    }
}

EL_INLINE void el_bias_columns(int columns, int32_t rows, int32_t pitch, float scale, const el_real *dy, el_real *db)
{
    el_sums sum = {0};
    for (int32_t left = rows; left > 0; left -= EL_SUM_ROWS) {
        el_sums part = {0};
        int32_t r = el_min(left, EL_SUM_ROWS);
        for (; r >= 4; r -= 4, dy += 4 * pitch) {
            el_sums_add(columns, &part, dy);
            el_sums_add(columns, &part, dy + pitch);
            el_sums_add(columns, &part, dy + 2 * pitch);
            el_sums_add(columns, &part, dy + 3 * pitch);
        }
        for (; r > 0; r--, dy += pitch) {
            el_sums_add(columns, &part, dy);
        }
        sum.c0 += part.c0;
        sum.c1 += part.c1;
        sum.c2 += part.c2;
        sum.c3 += part.c3;
    }
    add(&db[0], scale * sum.c0);
    if (columns > 1) {
        add(&db[1], scale * sum.c1);
    }
    if (columns > 2) {
        add(&db[2], scale * sum.c2);
        add(&db[3], scale * sum.c3);
    }
}

void EL_BLK(bias_bwd)(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_real *dy, el_real *db)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        el_bias_columns(4, rows, pitch, scale, dy + c, db + c);
    }
    if (c + 2 <= channels) {
        el_bias_columns(2, rows, pitch, scale, dy + c, db + c);
        c += 2;
    }
    if (c < channels) {
        el_bias_columns(1, rows, pitch, scale, dy + c, db + c);
    }
}
