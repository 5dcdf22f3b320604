/* Fully connected layers of halves in floats. What dense.h says holds here too; each weight is met once, so its
 * conversion is most of what is more. Where rows of w do not begin with whole words, plain C computes the same. */
#ifndef EL_THUMB_DENSE_F16_H
#define EL_THUMB_DENSE_F16_H

#include "dense_steps.h"
#include "halves.h"

#define EL_HALVES_8(h0, h1, h2, h3)                                                                                    \
    EL_WIDEN(h0, "s16", "s17") EL_WIDEN(h1, "s18", "s19") EL_WIDEN(h2, "s20", "s21") EL_WIDEN(h3, "s22", "s23")

static inline int el_dense_even(int32_t pitch, const el_f16 *x, const el_f16 *w)
{
    return pitch % 2 == 0 && !el_halfway(x) && !el_halfway(w);
}

/* sums[0..4) += w x for `fours` fours of terms */
static inline void el_dense_four(int32_t fours, int32_t in, const el_f16 *x, const el_f16 *w, float *sums)
{
    const el_f16 *w0 = w;
    const el_f16 *w1 = w0 + in;
    const el_f16 *w2 = w1 + in;
    const el_f16 *w3 = w2 + in;
    __asm__ volatile(
        "vldmia %[y], {s0-s3}\n1:\n\tvldmia %[x]!, {s24-s25}\n\tvldmia %[w0]!, {s26-s27}\n\t"
        "vldmia %[w1]!, {s28-s29}\n\t" EL_WIDEN("s24", "s4", "s5") EL_WIDEN("s25", "s6", "s7")
            EL_WIDEN("s26", "s8", "s9") EL_WIDEN("s27", "s10", "s11") EL_WIDEN("s28", "s12", "s13")
                EL_WIDEN("s29", "s14", "s15") "vldmia %[w2]!, {s24-s25}\n\tvldmia %[w3]!, {s26-s27}\n\t" EL_HALVES_8(
                    "s24", "s25", "s26", "s27") EL_DENSE_DOT
        "subs %[fours], %[fours], #1\n\tbne.w 1b\n\tvstmia %[y], {s0-s3}\n\t"
        : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [fours] "+r"(fours)
        : [y] "r"(sums)
        : EL_ALL_REGISTERS);
}

static inline void el_dense_forward(int32_t in, int32_t out, const el_f16 *x, const el_f16 *w, const el_f16 *b,
                                    el_f16 *y)
{
    const int32_t together = in >= 4 && el_dense_even(in, x, w) ? 4 : 1;
    for (int32_t o = 0, rows; o < out; o += rows, w += rows * in) {
        float sums[4] = {0.0f};
        rows = o + together <= out ? together : 1;
        for (int32_t j = 0; b != 0 && j < rows; j++) {
            sums[j] = (float)b[o + j];
        }
        int32_t begin = 0;
        if (rows == 4) {
            el_dense_four(in / 4, in, x, w, sums);
            begin = in & ~3;
        }
        for (int32_t j = 0; j < rows; j++) {
            for (int32_t i = begin; i < in; i++) {
                sums[j] += (float)x[i] * (float)w[j * in + i];
            }
            y[o + j] = (el_f16)sums[j];
        }
    }
}

#define EL_DENSE_D "ldrh %[t], [%[d]], #2\n\tvmov s24, %[t]\n\tvcvtb.f32.f16 s24, s24\n\t"

static inline void el_dense_backward_x(int32_t in, int32_t out, int32_t pitch, const el_f16 *dy, const el_f16 *w,
                                       el_f16 *dx)
{
    int32_t i = 0;
    for (; i + 16 <= in && el_dense_even(pitch, w, w); i += 16) {
        const el_f16 *d = dy;
        const el_f16 *p = w + i;
        float sums[16];
        int32_t left = out;
        int32_t t;
        __asm__ volatile("vldmia %[z], {s0-s15}\n1:\n\t" EL_DENSE_D
                         "vldmia %[p]!, {s25-s28}\n\t" EL_HALVES_8("s25", "s26", "s27", "s28") EL_DENSE_BACK_LOW
                         "vldmia %[p], {s25-s28}\n\tadd %[p], %[p], %[step]\n\t" EL_HALVES_8("s25", "s26", "s27", "s28")
                             EL_DENSE_BACK_HIGH "subs %[left], %[left], #1\n\tbne.w 1b\n\tvstmia %[y], {s0-s15}\n\t"
                         : [d] "+r"(d), [p] "+r"(p), [left] "+r"(left), [t] "=&r"(t)
                         : [z] "r"(el_zeros), [step] "r"(2 * (pitch - 8)), [y] "r"(sums)
                         : EL_ALL_REGISTERS);
        el_store_row(16, sums, dx + i);
    }
    for (; i < in; i++) {
        float sum = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            sum += (float)dy[o] * (float)w[o * pitch + i];
        }
        dx[i] = (el_f16)sum;
    }
}

/* Eight elements of w from s16-s23 back to where they were */
#define EL_DENSE_BACK_8                                                                                                \
    EL_NARROW("s25", "s16", "s17")                                                                                     \
    EL_NARROW("s26", "s18", "s19")                                                                                     \
    EL_NARROW("s27", "s20", "s21") EL_NARROW("s28", "s22", "s23") "vstmia %[p]!, {s25-s28}\n\t"

static inline void el_dense_backward_w(int32_t in, int32_t out, float scale, const el_f16 *x, const el_f16 *dy,
                                       el_f16 *dw)
{
    int32_t i = 0;
    for (; i + 16 <= in && el_dense_even(in, dw, dw); i += 16) {
        const el_f16 *d = dy;
        el_f16 *p = dw + i;
        float some[16];
        int32_t left = out;
        int32_t t;
        el_widen(16, x + i, some);
        __asm__ volatile("vldmia %[x], {s0-s15}\n\tvldr s30, [%[scale]]\n1:\n\t" EL_DENSE_D
                         "vldmia %[p], {s25-s28}\n\tvmul.f32 s24, s24, s30\n\t" EL_HALVES_8("s25", "s26", "s27", "s28")
                             EL_DENSE_OUTER_LOW EL_DENSE_BACK_8
                         "vldmia %[p], {s25-s28}\n\t" EL_HALVES_8("s25", "s26", "s27", "s28")
                             EL_DENSE_OUTER_HIGH EL_DENSE_BACK_8
                         "add %[p], %[p], %[step]\n\tsubs %[left], %[left], #1\n\tbne.w 1b\n\t"
                         : [d] "+r"(d), [p] "+r"(p), [left] "+r"(left), [t] "=&r"(t)
                         : [x] "r"(some), [step] "r"(2 * (in - 16)), [scale] "r"(&scale)
                         : EL_ALL_REGISTERS);
    }
    for (int32_t o = 0; i < in && o < out; o++) {
        const float d = scale * (float)dy[o];
        for (int32_t k = i; k < in; k++) {
            dw[o * in + k] = (el_f16)((float)dw[o * in + k] + d * (float)x[k]);
        }
    }
}

#endif
