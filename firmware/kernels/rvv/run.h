/* Runs of a depthwise convolution in groups of EL_M registers: see runs.h, which includes this for each. */
/* acc + v * (factor number `index`), or acc if there is none; index is a constant once inlined */
EL_INLINE el_v EL_FN(el_fma_pick)(el_v acc, el_v v, int index, int factors, el_v f0, el_v f1, el_v f2, el_v f3, el_n n)
{
    if (index < 0 || index >= factors) {
        return acc;
    }
    return el_fma(acc, v, index == 0 ? f0 : index == 1 ? f1 : index == 2 ? f2 : f3, n);
}

/* Each i that a group of taps may read; those it does not are no code. */
#define EL_DW_EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

/* y[j] += x[i] * w[k] for a group of `taps` taps, 3 or 1 */
#define EL_DW_FORWARD(i)                                                                                               \
    if ((i) < (EL_RUN - 1) * stride + taps) {                                                                          \
        if (whole || (inside & (1u << (i))) != 0u) {                                                                   \
            const el_v t = el_load(p, n);                                                                              \
            a0 = EL_FN(el_fma_pick)(a0, t, (i), taps, w0, w1, w2, w2, n);                                              \
            a1 = EL_FN(el_fma_pick)(a1, t, (i)-stride, taps, w0, w1, w2, w2, n);                                       \
            a2 = EL_FN(el_fma_pick)(a2, t, (i)-2 * stride, taps, w0, w1, w2, w2, n);                                   \
            a3 = EL_FN(el_fma_pick)(a3, t, (i)-3 * stride, taps, w0, w1, w2, w2, n);                                   \
        }                                                                                                              \
        p += x_step;                                                                                                   \
    }

#define EL_DW_GROUP(TAPS)                                                                                              \
    do {                                                                                                               \
        const int taps = (TAPS);                                                                                       \
        const el_v w0 = el_load(f, n);                                                                                 \
        const el_v w1 = taps > 1 ? el_load(f + w_step, n) : w0;                                                        \
        const el_v w2 = taps > 2 ? el_load(f + 2 * w_step, n) : w0;                                                    \
        const el_t *p = q;                                                                                             \
        EL_DW_EACH(EL_DW_FORWARD)                                                                                      \
    } while (0)

/* One strip of channels of a run. whole: four outputs of three taps, and all i inside. */
EL_INLINE void EL_FN(el_dw_strip)(int32_t at, el_n n, int stride, int whole, const el_run *v)
{
    const int32_t x_step = v->x_step;
    const int32_t w_step = v->w_step;
    const int32_t x_row = v->x_row;
    const int32_t w_row = v->w_row;
    const int32_t k = v->taps;
    el_v a0 = v->bias != 0 ? el_load(v->bias + at, n) : el_set(0.0f, n);
    el_v a1 = a0;
    el_v a2 = a0;
    el_v a3 = a0;
    const el_t *x = v->x + at;
    const el_t *w = v->w + at;
    for (int32_t row = v->rows; row > 0; row--, x += x_row, w += w_row) {
        const el_t *q = x;
        const el_t *f = w;
        uint32_t inside = whole ? 0u : v->inside;
        if (whole) {
            EL_DW_GROUP(3);
            continue;
        }
        int32_t left = k;
        for (; left >= EL_TAPS; left -= EL_TAPS, q += EL_TAPS * x_step, f += EL_TAPS * w_step, inside >>= EL_TAPS) {
            EL_DW_GROUP(3);
        }
        for (; left > 0; left--, q += x_step, f += w_step, inside >>= 1) {
            EL_DW_GROUP(1);
        }
    }
    el_t *y = v->y + at;
    el_store(y, a0, n);
    if (whole || v->outputs > 1) {
        el_store(y + v->y_step, a1, n);
    }
    if (whole || v->outputs > 2) {
        el_store(y + 2 * v->y_step, a2, n);
    }
    if (whole || v->outputs > 3) {
        el_store(y + 3 * v->y_step, a3, n);
    }
}

EL_INLINE void EL_FN(el_dw_whole)(int32_t at, el_n n, int stride, const el_run *v)
{
    EL_FN(el_dw_strip)(at, n, stride, 1, v);
}

EL_INLINE void EL_FN(el_dw_any)(int32_t at, el_n n, int stride, const el_run *v)
{
    EL_FN(el_dw_strip)(at, n, stride, 0, v);
}

/* Four outputs of three taps with all they read inside the map take the fast form. */
static void EL_FN(el_dw_run)(const el_run *v, int32_t channels)
{
    const int whole =
        v->outputs == EL_RUN && v->taps == EL_TAPS && v->inside == el_dw_bits(0, (EL_RUN - 1) * v->stride + EL_TAPS);
    if (v->stride == 2) {
        if (whole) {
            EL_STRIPS_OR(channels, EL_FN(el_dw_whole), EL_FN(el_dw_any), 2, v);
        } else {
            EL_STRIPS(channels, EL_FN(el_dw_any), 2, v);
        }
    } else if (whole) {
        EL_STRIPS_OR(channels, EL_FN(el_dw_whole), EL_FN(el_dw_any), 1, v);
    } else {
        EL_STRIPS(channels, EL_FN(el_dw_any), 1, v);
    }
}

/* Every output of y: runs along axis a, one for each position of axis b. */
static void EL_FN(el_dw_map)(el_axis a, el_axis b, int32_t channels, const el_t *x, const el_t *w, const el_t *bias,
                             el_t *y)
{
    el_run v;
    v.stride = a.stride;
    v.bias = bias;
    v.x_row = b.x;
    v.w_row = b.w;
    v.x_step = a.x;
    v.w_step = a.w;
    v.y_step = a.y;
    v.taps = a.k;
    for (int32_t ob = 0; ob < b.out; ob++) {
        const int32_t ib = ob * b.stride - b.pad;
        const int32_t low = el_max(-ib, 0);
        v.rows = el_max(el_min(b.k, b.in - ib) - low, 0);
        v.w = w + low * b.w;
        for (int32_t oa = 0; oa < a.out; oa += EL_RUN) {
            const int32_t ia = oa * a.stride - a.pad;
            v.outputs = el_min(EL_RUN, a.out - oa);
            v.inside = el_dw_bits(-ia, el_min(a.in - ia, (v.outputs - 1) * a.stride + a.k));
            v.x = x + (ib + low) * b.x + ia * a.x;
            v.y = y + ob * b.y + oa * a.y;
            EL_FN(el_dw_run)(&v, channels);
        }
    }
}

static void EL_FN(el_dw_turn)(el_axis a, el_axis b, int32_t channels, const el_t *x, const el_t *w, const el_t *bias,
                              el_t *y)
{
    if (el_dw_turned(a.out, b.out)) {
        EL_FN(el_dw_map)(b, a, channels, x, w, bias, y);
    } else {
        EL_FN(el_dw_map)(a, b, channels, x, w, bias, y);
    }
}

/* dw[k] += x[i] * dy[j] */
#define EL_DW_BACKWARD(i)                                                                                              \
    if ((i) < (EL_RUN - 1) * stride + taps) {                                                                          \
        if (whole || (inside & (1u << (i))) != 0u) {                                                                   \
            const el_v t = el_load(p, n);                                                                              \
            g0 = EL_FN(el_fma_pick)(g0, t, el_dw_output(i, stride), EL_RUN, d0, d1, d2, d3, n);                        \
            if (taps > 1) {                                                                                            \
                g1 = EL_FN(el_fma_pick)(g1, t, el_dw_output((i)-1, stride), EL_RUN, d0, d1, d2, d3, n);                \
                g2 = EL_FN(el_fma_pick)(g2, t, el_dw_output((i)-2, stride), EL_RUN, d0, d1, d2, d3, n);                \
            }                                                                                                          \
        }                                                                                                              \
        p += x_step;                                                                                                   \
    }

#define EL_DW_DRAIN(acc, sum) (sum = el_sum_add(sum, acc, n), acc = el_set(0.0f, n))

/* One strip of channels. `blocks` counts down to the moment when the sums leave the lanes' own precision. `some`: there
 * may be whole blocks. */
EL_INLINE void EL_FN(el_dw_taps_strip)(int32_t at, el_n n, int stride, int taps, int some, const el_taps *v)
{
    const int32_t x_step = v->x_step;
    const int32_t y_step = v->y_step;
    const int32_t out = v->out;
    const int32_t lead = some ? v->lead : 0;
    const int32_t full = some ? v->full : 0;
    const el_v zero = el_set(0.0f, n);
    el_v g0 = zero;
    el_v g1 = zero;
    el_v g2 = zero;
    el_sum s0 = el_sum_zero(n);
    el_sum s1 = s0;
    el_sum s2 = s0;
    const el_t *x_row = v->x + at;
    const el_t *y_row = v->dy + at;
    int32_t budget = EL_SUM_TERMS / EL_RUN;
    for (int32_t row = v->rows; row > 0; row--, x_row += v->x_row, y_row += v->y_row) {
        const el_t *x = x_row;
        const el_t *dy = y_row;
        for (int32_t j0 = 0; j0 < out;) {
            if (j0 >= lead && j0 < full) {
                const int whole = 1;
                const uint32_t inside = 0;
                int32_t blocks = el_min((full - j0) / EL_RUN, budget);
                budget -= blocks;
                j0 += blocks * EL_RUN;
                for (; blocks > 0; blocks--) {
                    const el_v d0 = el_load(dy, n);
                    const el_v d1 = el_load(dy + y_step, n);
                    const el_v d2 = el_load(dy + 2 * y_step, n);
                    const el_v d3 = el_load(dy + 3 * y_step, n);
                    const el_t *p = x;
                    EL_DW_EACH(EL_DW_BACKWARD)
                    x += EL_RUN * stride * x_step;
                    dy += EL_RUN * y_step;
                }
            } else {
                const int whole = 0;
                const int32_t outputs = el_min(EL_RUN, out - j0);
                const int32_t base = j0 * stride - v->pad;
                const uint32_t inside = el_dw_bits(-base, el_min(v->in - base, (outputs - 1) * stride + taps));
                const el_v d0 = el_load(dy, n);
                const el_v d1 = outputs > 1 ? el_load(dy + y_step, n) : zero;
                const el_v d2 = outputs > 2 ? el_load(dy + 2 * y_step, n) : zero;
                const el_v d3 = outputs > 3 ? el_load(dy + 3 * y_step, n) : zero;
                const el_t *p = x;
                EL_DW_EACH(EL_DW_BACKWARD)
                x += EL_RUN * stride * x_step;
                dy += EL_RUN * y_step;
                budget--;
                j0 += EL_RUN;
            }
            if (budget == 0) {
                budget = EL_SUM_TERMS / EL_RUN;
                EL_DW_DRAIN(g0, s0);
                EL_DW_DRAIN(g1, s1);
                EL_DW_DRAIN(g2, s2);
            }
        }
    }
    el_t *w = v->dw + at;
    el_sum_into(w, v->scale, el_sum_add(s0, g0, n), n);
    if (taps > 1) {
        el_sum_into(w + v->w_step, v->scale, el_sum_add(s1, g1, n), n);
        el_sum_into(w + 2 * v->w_step, v->scale, el_sum_add(s2, g2, n), n);
    }
}

EL_INLINE void EL_FN(el_dw_taps_whole)(int32_t at, el_n n, int stride, int taps, const el_taps *v)
{
    EL_FN(el_dw_taps_strip)(at, n, stride, taps, 1, v);
}

EL_INLINE void EL_FN(el_dw_taps_any)(int32_t at, el_n n, int stride, int taps, const el_taps *v)
{
    EL_FN(el_dw_taps_strip)(at, n, stride, taps, 0, v);
}

#define EL_DW_TAPS(stride, taps) EL_STRIPS_OR(channels, EL_FN(el_dw_taps_whole), EL_FN(el_dw_taps_any), stride, taps, v)

static void EL_FN(el_dw_sweep)(const el_taps *v, int32_t channels, int32_t taps)
{
    if (v->stride == 2) {
        if (taps == EL_TAPS) {
            EL_DW_TAPS(2, 3);
        } else {
            EL_DW_TAPS(2, 1);
        }
    } else if (taps == EL_TAPS) {
        EL_DW_TAPS(1, 3);
    } else {
        EL_DW_TAPS(1, 1);
    }
}

/* Three taps or one, from `from` on along axis a, at tap `row` of axis b. */
static void EL_FN(el_dw_taps)(el_axis a, el_axis b, int32_t row, int32_t from, int32_t taps, int32_t channels,
                              float scale, const el_t *x, const el_t *dy, el_t *dw)
{
    const int32_t low = row < b.pad ? (b.pad - row + b.stride - 1) / b.stride : 0;
    const int32_t reach = b.in - 1 + b.pad - row; /* an output beyond reach / stride reads past the map */
    el_taps v;
    v.rows = reach < 0 ? 0 : el_min(reach / b.stride + 1, b.out) - low;
    v.pad = a.pad - from;
    v.x = x + (low * b.stride - b.pad + row) * b.x - v.pad * a.x;
    v.dy = dy + low * b.y;
    v.dw = dw + row * b.w + from * a.w;
    v.scale = scale;
    v.x_row = b.stride * b.x;
    v.y_row = b.y;
    v.x_step = a.x;
    v.w_step = a.w;
    v.y_step = a.y;
    v.in = a.in;
    v.out = a.out;
    v.stride = a.stride;
    /* the first block that reads nothing before the map, and how many outputs are in blocks that end inside it */
    const int32_t inside = a.in + v.pad - taps; /* the last whole window begins here */
    v.lead = v.pad > 0 ? (v.pad + EL_RUN * a.stride - 1) / (EL_RUN * a.stride) * EL_RUN : 0;
    v.full = inside < 0 ? 0 : el_min(inside / a.stride + 1, a.out) / EL_RUN * EL_RUN;
    EL_FN(el_dw_sweep)(&v, channels, taps);
}
