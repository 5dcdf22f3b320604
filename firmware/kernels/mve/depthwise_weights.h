/* The gradient of w of a depthwise convolution: dw[k] += x[i] * dy[j] for i = stride * j + k, a row of taps at a time,
 * along lines of packed x and dy. Three sums leave room for three outputs and two elements of x: nine multiply-adds
 * take four loads. */
#ifndef EL_MVE_DEPTHWISE_WEIGHTS_H
#define EL_MVE_DEPTHWISE_WEIGHTS_H

#define EL_DW_ADD(g, x, d) EL_VFMA " %q[" g "], " x ", " d "\n"
#define EL_DW_TWO_X "vldm %[p]!, {d12-d15}\n"

/* Outputs j, j + 1 and j + 2 of stride 1; the same for two and for one, which is the last one of a line. */
#define EL_DW_OUTPUTS_3                                                                                                \
    "vldm %[d]!, {d6-d11}\n" EL_DW_TWO_X EL_DW_ADD("g0", "q6", "q3") EL_DW_ADD("g0", "q7", "q4")                       \
        EL_DW_ADD("g1", "q7", "q3") EL_DW_TWO_X EL_DW_ADD("g0", "q6", "q5") EL_DW_ADD("g1", "q6", "q4")                \
            EL_DW_ADD("g2", "q6", "q3") EL_DW_ADD("g1", "q7", "q5") EL_DW_ADD("g2", "q7", "q4") EL_VLDR                \
        " q6, [%[p]], #-16\n" EL_DW_ADD("g2", "q6", "q5")
#define EL_DW_OUTPUTS_2                                                                                                \
    "vldm %[d]!, {d6-d9}\n" EL_DW_TWO_X EL_DW_ADD("g0", "q6", "q3") EL_DW_ADD("g0", "q7", "q4")                        \
        EL_DW_ADD("g1", "q7", "q3") EL_DW_TWO_X EL_DW_ADD("g1", "q6", "q4") EL_DW_ADD("g2", "q6", "q3")                \
            EL_DW_ADD("g2", "q7", "q4")
#define EL_DW_OUTPUTS_1                                                                                                \
    EL_VLDR " q3, [%[d]], #16\n" EL_DW_TWO_X EL_DW_ADD("g0", "q6", "q3") EL_DW_ADD("g1", "q7", "q3") EL_VLDR           \
        " q6, [%[p]]\n" EL_DW_ADD("g2", "q6", "q3")
/* Two of stride 2. */
#define EL_DW_APART_2                                                                                                  \
    "vldm %[d]!, {d6-d9}\n" EL_DW_TWO_X EL_DW_ADD("g0", "q6", "q3") EL_DW_ADD("g1", "q7", "q3")                        \
        EL_DW_TWO_X EL_DW_ADD("g2", "q6", "q3") EL_DW_ADD("g0", "q6", "q4") EL_DW_ADD("g1", "q7", "q4") EL_VLDR        \
        " q6, [%[p]]\n" EL_DW_ADD("g2", "q6", "q4")

/* Lines whose outputs follow each other in dy. */
#define EL_DW_LINES(MANY, TWO, many)                                                                                   \
    __asm__ volatile("5: mov %[p], %[x]\n"                                                                             \
                     "add %[x], %[hop]\n"                                                                              \
                     "wls lr, %[n], 2f\n"                                                                              \
                     "1:\n" MANY "le lr, 1b\n"                                                                         \
                     "2: cmp %[rest], #1\n"                                                                            \
                     "blo 4f\n"                                                                                        \
                     "beq 3f\n" TWO "b 4f\n"                                                                           \
                     "3:\n" EL_DW_OUTPUTS_1 "4: subs %[lines], #1\n"                                                   \
                     "bne 5b\n"                                                                                        \
                     : [x] "+&r"(x), [d] "+&r"(dy), [lines] "+&r"(lines), [p] "=&r"(p), [g0] "+&w"(g0),                \
                       [g1] "+&w"(g1), [g2] "+&w"(g2)                                                                  \
                     : [n] "r"((uint32_t)v.along / (many)), [rest] "r"((uint32_t)v.along % (many)), [hop] "r"(hop)     \
                     : "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory")

/* One tap. */
#define EL_DW_TAP                                                                                                      \
    __asm__ volatile("5: mov %[p], %[x]\n"                                                                             \
                     "add %[x], %[hop]\n"                                                                              \
                     "wls lr, %[n], 2f\n"                                                                              \
                     "1:\n" EL_VLDR " q3, [%[d]], #16\n" EL_VLDR                                                       \
                     " q4, [%[p]], %[next]\n" EL_DW_ADD("g0", "q4", "q3") "le lr, 1b\n"                                \
                                                                          "2: subs %[lines], #1\n"                     \
                                                                          "bne 5b\n"                                   \
                     : [x] "+&r"(x), [d] "+&r"(dy), [lines] "+&r"(lines), [p] "=&r"(p), [g0] "+&w"(g0)                 \
                     : [n] "r"(v.along), [next] "i"(16 * stride), [hop] "r"(hop)                                       \
                     : "q3", "q4", "lr", "cc", "memory")

/* Brings three vectors into sums in memory, or adds them to those, and makes them zero. */
#define EL_DW_DRAIN(HOW)                                                                                               \
    do {                                                                                                               \
        float32x4_t *to = sums;                                                                                        \
        __asm__ volatile(HOW("to", "g0") HOW("to", "g1") HOW("to", "g2")                                               \
                         : [to] "+&r"(to), [g0] "+&w"(g0), [g1] "+&w"(g1), [g2] "+&w"(g2)                              \
                         :                                                                                             \
                         : "q6", "q7", "memory");                                                                      \
    } while (0)

/* The gradient of taps along lines of packed x and dy, of `along` outputs each. After `rows` lines the sums leave
 * the lanes' own precision. */
typedef struct {
    const el_t *x, *dy;
    int32_t lines, along, x_line;
    int32_t w_step, rows, down, down_x, down_w; /* `down` groups of taps, below each other in x and w */
    float scale;
} el_taps;

/* Three taps or one. */
EL_INLINE void el_dw_taps(int stride, int taps, el_taps v, el_t *dw, el_n n)
{
    const int32_t hop = v.x_line * (int32_t)sizeof(el_t);
    for (; v.down > 0; v.down--, v.x += v.down_x, dw += v.down_w) {
        const el_t *x = v.x;
        const el_t *dy = v.dy;
        el_v g0 = el_set(0.0f, EL_ALL);
        el_v g1 = g0;
        el_v g2 = g0;
        float32x4_t sums[EL_TAPS * EL_FLOATS];
        int drained = 0;
        for (int32_t left = v.lines; left > 0; left -= v.rows) {
            int32_t lines = el_min(v.rows, left);
            const el_t *p;
            if (taps == 1) {
                EL_DW_TAP;
            } else if (stride == 1) {
                EL_DW_LINES(EL_DW_OUTPUTS_3, EL_DW_OUTPUTS_2, 3);
            } else {
                EL_DW_LINES(EL_DW_APART_2, "", 2);
            }
            if (left > v.rows && drained) {
                EL_DW_DRAIN(EL_ADD_TO_SUM);
            } else if (left > v.rows) {
                EL_DW_DRAIN(EL_MOVE_TO_SUM);
                drained = 1;
            }
        }
        if (drained) {
            el_sum_into(dw, v.scale, el_sum_add(el_sum_at(sums), g0, n), n);
        } else {
            el_sum_into(dw, v.scale, el_sum_of(g0), n);
        }
        if (taps > 1 && drained) {
            el_sum_into(dw + v.w_step, v.scale, el_sum_add(el_sum_at(sums + EL_FLOATS), g1, n), n);
            el_sum_into(dw + 2 * v.w_step, v.scale, el_sum_add(el_sum_at(sums + 2 * EL_FLOATS), g2, n), n);
        } else if (taps > 1) {
            el_sum_into(dw + v.w_step, v.scale, el_sum_of(g1), n);
            el_sum_into(dw + 2 * v.w_step, v.scale, el_sum_of(g2), n);
        }
    }
}

__attribute__((noinline)) static void el_dw_gradient(int32_t stride, int32_t taps, const el_taps *v, el_t *dw, el_n n)
{
    if (stride == 1 && taps == EL_TAPS) {
        el_dw_taps(1, 3, *v, dw, n);
    } else if (stride == 1) {
        el_dw_taps(1, 1, *v, dw, n);
    } else if (taps == EL_TAPS) {
        el_dw_taps(2, 3, *v, dw, n);
    } else {
        el_dw_taps(2, 1, *v, dw, n);
    }
}

/* One patch: dy is packed in front of x. */
static void el_dw_patch_gradient(el_axis a, el_axis b, int32_t oa, int32_t ob, int32_t along, int32_t across,
                                 float scale, const el_t *x, const el_t *dy, el_t *dw, el_t *scratch, el_n n, int full,
                                 int anew)
{
    const int32_t length = el_dw_reach(a, along);
    const int32_t line = length * EL_LANES;
    el_t *const packed = scratch + along * across * EL_LANES;
    el_taps v = {packed, scratch, across, along, b.stride * line, a.w, el_max(EL_SUM_TERMS / along, 1),
                 b.k,    line,    b.w,    scale};
    if (full) {
        el_gather_lines(across, b.y, along, dy, a.y, scratch);
    } else {
        el_dw_pack(0, along, along, a.y, 0, across, across, b.y, dy, scratch, n, 0, 1);
    }
    el_dw_pack(oa * a.stride - a.pad, length, a.in, a.x, ob * b.stride - b.pad, el_dw_reach(b, across), b.in, b.x, x,
               packed, n, full, anew);
    for (int32_t from = 0; from < a.k;) {
        const int32_t taps = a.k - from >= EL_TAPS ? EL_TAPS : 1;
        v.x = packed + from * EL_LANES;
        el_dw_gradient(a.stride, taps, &v, dw + from * a.w, n);
        from += taps;
    }
}

void EL_KERNEL(depthwise_conv2d_bwd_w)(const el_window *s, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                       void *scratch)
{
    const int turned = el_dw_turned(s->out_w, s->out_h);
    const el_axis a = turned ? el_dw_down(s) : el_dw_right(s);
    const el_axis b = turned ? el_dw_right(s) : el_dw_down(s);
    el_patch cut = el_dw_patch(a, b, 1);
    cut.along = el_min(cut.along, EL_SUM_TERMS);
    const int many = cut.along < a.out || cut.across < b.out;
    for (int32_t c = 0; c < s->in_c; c += EL_LANES, x += EL_LANES, dy += EL_LANES, dw += EL_LANES) {
        const el_n n = el_some(s->in_c - c);
        for (int32_t ob = 0; ob < b.out; ob += cut.across) {
            for (int32_t oa = 0; oa < a.out; oa += cut.along) {
                el_dw_patch_gradient(a, b, oa, ob, el_min(cut.along, a.out - oa), el_min(cut.across, b.out - ob), scale,
                                     x, dy + ob * b.y + oa * a.y, dw, scratch, n, s->in_c - c >= EL_LANES,
                                     c == 0 || many || s->in_c - c < EL_LANES);
            }
        }
    }
}

#endif
