/* Fully connected layers: four rows of w at a time against x, and sixteen columns of w at a time in the gradients. What
 * is left over goes term by term, in the same order. The arithmetic is in fused.h and apart.h. */
#ifndef EL_THUMB_DENSE_H
#define EL_THUMB_DENSE_H

#include "dense_steps.h"
#include "registers.h"

/* y[0..4) = b[0..4) + w x */
static inline void el_dense_four(int32_t in, const float *x, const float *w, const float *b, float *y)
{
    const float *w0 = w;
    const float *w1 = w0 + in;
    const float *w2 = w1 + in;
    const float *w3 = w2 + in;
    int32_t turns = in / 4;
    if (turns > 0) {
        __asm__ volatile(
            "vldmia %[b], {s0-s3}\n1:\n\tvldmia %[x]!, {s4-s7}\n\tvldmia %[w0]!, {s8-s11}\n\t"
            "vldmia %[w1]!, {s12-s15}\n\tvldmia %[w2]!, {s16-s19}\n\tvldmia %[w3]!, {s20-s23}\n\t" EL_DENSE_DOT
            "subs %[turns], %[turns], #1\n\tbne.w 1b\n\tvstmia %[y], {s0-s3}\n\t"
            : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [turns] "+r"(turns)
            : [b] "r"(b), [y] "r"(y)
            : EL_ALL_REGISTERS);
        b = y;
    }
    float y0 = b[0];
    float y1 = b[1];
    float y2 = b[2];
    float y3 = b[3];
    for (int32_t left = in % 4; left > 0; left--, x++) {
        y0 += *x * *w0++;
        y1 += *x * *w1++;
        y2 += *x * *w2++;
        y3 += *x * *w3++;
    }
    y[0] = y0;
    y[1] = y1;
    y[2] = y2;
    y[3] = y3;
}

static inline void el_dense_forward(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    int32_t o = 0;
    for (; o + 4 <= out; o += 4, w += 4 * in) {
        el_dense_four(in, x, w, b != 0 ? b + o : el_zeros, y + o);
    }
    for (; o < out; o++, w += in) {
        float sum = b != 0 ? b[o] : 0.0f;
        for (int32_t i = 0; i < in; i++) {
            sum += x[i] * w[i];
        }
        y[o] = sum;
    }
}

static inline void el_dense_backward_x(int32_t in, int32_t out, int32_t pitch, const float *dy, const float *w,
                                       float *dx)
{
    int32_t i = 0;
    for (; i + 16 <= in; i += 16) {
        const float *d = dy;
        const float *p = w + i;
        int32_t left = out;
        __asm__ volatile(
            "vldmia %[z], {s0-s15}\n1:\n\tvldmia %[d]!, {s24}\n\tvldmia %[p]!, {s16-s23}\n\t" EL_DENSE_BACK_LOW
            "vldmia %[p]!, {s16-s23}\n\t" EL_DENSE_BACK_HIGH
            "add %[p], %[p], %[step]\n\tsubs %[left], %[left], #1\n\tbne.w 1b\n\tvstmia %[y], {s0-s15}\n\t"
            : [d] "+r"(d), [p] "+r"(p), [left] "+r"(left)
            : [z] "r"(el_zeros), [step] "r"(4 * (pitch - 16)), [y] "r"(dx + i)
            : EL_ALL_REGISTERS);
    }
    for (; i < in; i++) {
        float sum = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            sum += dy[o] * w[o * pitch + i];
        }
        dx[i] = sum;
    }
}

static inline void el_dense_backward_w(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
    int32_t i = 0;
    for (; i + 16 <= in; i += 16) {
        const float *d = dy;
        float *p = dw + i;
        int32_t left = out;
        __asm__ volatile(
            "vldmia %[x], {s0-s15}\n\tvldr s25, [%[scale]]\n1:\n\tvldmia %[d]!, {s24}\n\tvldmia %[p], {s16-s23}\n\t"
            "vmul.f32 s24, s24, s25\n\t" EL_DENSE_OUTER_LOW
            "vstmia %[p]!, {s16-s23}\n\tvldmia %[p], {s16-s23}\n\t" EL_DENSE_OUTER_HIGH
            "vstmia %[p]!, {s16-s23}\n\tadd %[p], %[p], %[step]\n\tsubs %[left], %[left], #1\n\tbne.w 1b\n\t"
            : [d] "+r"(d), [p] "+r"(p), [left] "+r"(left)
            : [x] "r"(x + i), [step] "r"(4 * (in - 16)), [scale] "r"(&scale)
            : EL_ALL_REGISTERS);
    }
    for (int32_t o = 0; i < in && o < out; o++) {
        const float d = scale * dy[o];
        for (int32_t k = i; k < in; k++) {
            dw[o * in + k] += d * x[k];
        }
    }
}

#endif
