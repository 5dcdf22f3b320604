/* Fully connected layers, whose sums are floats, and gradients of biases. Each weight is met once, so that what counts
 * is how few other instructions there are. */
#ifndef EL_RVV_DENSE_H
#define EL_RVV_DENSE_H

#include "wide.h"

enum {
    EL_LANES = 32 /* of sums along a row of weights, whatever the vectors' length: it says which terms are added */
};

static const float el_no_sums[EL_LANES];

EL_INLINE float el_total(el_floats sums)
{
    const vfloat32m1_t zero = __riscv_vfmv_v_f_f32m1(0.0f, 1);
    return __riscv_vfmv_f_s_f32m1_f32(__riscv_vfredosum_vs_f32m8_f32m1(sums, zero, EL_LANES));
}

/* Loops are written in assembler, because compilers load too early and run out of registers. */
#define EL_SET_WIDE(vl) "vsetvli zero, %[" #vl "], e" EL_WIDTH_NAME ", " EL_TEXT(EL_WIDE) ", tu, ma\n"
#define EL_LOAD_WIDE(to, from) "vle" EL_WIDTH_NAME ".v %[" #to "], (%[" #from "])\n"

/* A step along x and two rows of weights. */
#define EL_PAIR                                                                                                        \
    EL_LOAD_WIDE(t, x)                                                                                                 \
    "add %[x], %[x], %[step]\n" EL_LOAD_WIDE(                                                                          \
        v, w) "add %[w], %[w], %[step]\n" EL_GROW                                                                      \
              ".vv %[a], %[t], %[v]\n" EL_LOAD_WIDE(v, u) "add %[u], %[u], %[step]\n" EL_GROW ".vv %[b], %[t], %[v]\n"

/* Two outputs, or the same one twice. */
EL_INLINE void el_outputs(int32_t in, const el_t *x, const el_t *w, const el_t *u, float *first, float *second)
{
    el_floats a = __riscv_vle32_v_f32m8(el_no_sums, EL_LANES);
    el_floats b = __riscv_vle32_v_f32m8(el_no_sums, EL_LANES);
    EL_V(EL_WIDE) t, v;
    const int32_t left = in % EL_LANES;
    const el_t *const ones = x + (in - left);
    const el_t *const fours = x + in / (4 * EL_LANES) * (4 * EL_LANES);
    __asm__ volatile(EL_SET_WIDE(lanes) "beq %[x], %[fours], 2f\n"
                                        "1: .rept 4\n" EL_PAIR ".endr\n"
                                        "bne %[x], %[fours], 1b\n"
                                        "2: beq %[x], %[ones], 4f\n"
                                        "3:\n" EL_PAIR "bne %[x], %[ones], 3b\n"
                                        "4: beqz %[left], 5f\n" EL_SET_WIDE(left) EL_PAIR "5:\n"
                     : [a] "+vr"(a), [b] "+vr"(b), [t] "=&vr"(t), [v] "=&vr"(v), [x] "+r"(x), [w] "+r"(w), [u] "+r"(u)
                     : [step] "r"(EL_LANES * sizeof(el_t)), [lanes] "r"(EL_LANES), [left] "r"(left), [fours] "r"(fours),
                       [ones] "r"(ones)
                     : "vl", "vtype", "memory");
    *first = el_total(a);
    *second = el_total(b);
}

void EL_KERNEL(dense_fwd)(int32_t in, int32_t out, const el_t *x, const el_t *w, const el_t *b, el_t *y)
{
    for (int32_t o = 0; o < out; o += 2, w += 2 * in) {
        const int32_t next = el_min(o + 1, out - 1);
        float first, second;
        el_outputs(in, x, w, w + (next - o) * in, &first, &second);
        y[o] = (el_t)((b != 0 ? (float)b[o] : 0.0f) + first);
        y[next] = (el_t)((b != 0 ? (float)b[next] : 0.0f) + second);
    }
}

/* Three groups of a row of weights, times one element. */
#define EL_THIRD(sum, step) EL_LOAD_WIDE(v, w) "add %[w], %[w], %[" #step "]\n" EL_GROW ".vf %[" #sum "], ft0, %[v]\n"
#define EL_ROW(number)                                                                                                 \
    EL_LOAD_SCALAR " ft0, " EL_BYTES "*" number "(%[dy])\n" EL_THIRD(a, step) EL_THIRD(b, step) EL_THIRD(c, rest)

/* dx[i] for three groups of n. */
EL_INLINE void el_inputs(int32_t in, int32_t out, const el_t *dy, const el_t *w, el_t *dx, size_t n)
{
    const int32_t size = (int32_t)sizeof(el_t);
    el_floats a = el_nothing(n);
    el_floats b = a;
    el_floats c = a;
    EL_V(EL_WIDE) v;
    const el_t *const fours = dy + (out & ~3);
    __asm__ volatile(
        EL_SET_WIDE(n) "beq %[dy], %[fours], 2f\n"
                       "1: .irp u, 0, 1, 2, 3\n" EL_ROW("\\u") ".endr\n"
                                                               "addi %[dy], %[dy], 4*" EL_BYTES "\n"
                                                               "bne %[dy], %[fours], 1b\n"
                                                               "2: beq %[dy], %[end], 4f\n"
                                                               "3:\n" EL_ROW("0") "addi %[dy], %[dy], " EL_BYTES "\n"
                                                                                  "bne %[dy], %[end], 3b\n"
                                                                                  "4:\n"
        : [a] "+vr"(a), [b] "+vr"(b), [c] "+vr"(c), [v] "=&vr"(v), [dy] "+r"(dy), [w] "+r"(w)
        : [n] "r"(n), [step] "r"((int32_t)n * size), [rest] "r"((in - 2 * (int32_t)n) * size), [fours] "r"(fours),
          [end] "r"(dy + out)
        : "ft0", "vl", "vtype", "memory");
    el_write(dx, a, n);
    el_write(dx + n, b, n);
    el_write(dx + 2 * n, c, n);
}

void EL_KERNEL(dense_bwd_x)(int32_t in, int32_t out, int32_t pitch, const el_t *dy, const el_t *w, el_t *dx)
{
    const size_t most = EL_VL(EL_WIDE, EL_VLMAX(EL_WIDE));
    int32_t i = 0;
    for (; i + 3 * (int32_t)most <= in; i += 3 * (int32_t)most) {
        el_inputs(pitch, out, dy, w + i, dx + i, most);
    }
    for (size_t n; i < in; i += (int32_t)n) {
        n = EL_VL(EL_WIDE, in - i);
        const el_t *p = w + i;
        el_floats sum = el_nothing(n);
#pragma clang loop unroll_count(4)
        for (int32_t o = 0; o < out; o++, p += pitch) {
            sum = el_grow_times(sum, dy[o], EL_VMEM(vle, EL_WIDE)(p, n), n);
        }
        el_write(dx + i, sum, n);
    }
}

/* dw[o][i] += dy[o] * x[i], rounded once, for a group of n. */
EL_INLINE void el_outer_some(int32_t in, int32_t out, EL_V(m8) x, const el_t *dy, el_t *dw, size_t n)
{
#pragma clang loop unroll_count(4)
    for (int32_t o = 0; o < out; o++, dw += in) {
        EL_VMEM(vse, m8)(dw, EL_VOP(vfmacc_vf, m8)(EL_VMEM(vle, m8)(dw, n), dy[o], x, n), n);
    }
}

/* And for three groups. */
EL_INLINE void el_outer_three(int32_t in, int32_t out, EL_V(m8) a, EL_V(m8) b, EL_V(m8) c, const el_t *dy, el_t *dw,
                              size_t n)
{
#pragma clang loop unroll_count(4)
    for (int32_t o = 0; o < out; o++, dw += in) {
        EL_VMEM(vse, m8)(dw, EL_VOP(vfmacc_vf, m8)(EL_VMEM(vle, m8)(dw, n), dy[o], a, n), n);
        EL_VMEM(vse, m8)(dw + n, EL_VOP(vfmacc_vf, m8)(EL_VMEM(vle, m8)(dw + n, n), dy[o], b, n), n);
        EL_VMEM(vse, m8)(dw + 2 * n, EL_VOP(vfmacc_vf, m8)(EL_VMEM(vle, m8)(dw + 2 * n, n), dy[o], c, n), n);
    }
}

/* el_factor(v, scale, n): v times scale, which is 1 where it must be. */
EL_INLINE void el_outer(int32_t in, int32_t out, float scale, const el_t *x, const el_t *dy, el_t *dw)
{
    const size_t most = EL_VL(m8, EL_VLMAX(m8));
    int32_t i = 0;
    for (; i + 3 * (int32_t)most <= in; i += 3 * (int32_t)most) {
        el_outer_three(in, out, el_factor(EL_VMEM(vle, m8)(x + i, most), scale, most),
                       el_factor(EL_VMEM(vle, m8)(x + i + most, most), scale, most),
                       el_factor(EL_VMEM(vle, m8)(x + i + 2 * most, most), scale, most), dy, dw + i, most);
    }
    for (size_t n; i < in; i += (int32_t)n) {
        n = EL_VL(m8, in - i);
        el_outer_some(in, out, el_factor(EL_VMEM(vle, m8)(x + i, n), scale, n), dy, dw + i, n);
    }
}

/* The sum of `rows` rows of n, EL_SUM_ROWS of them apart. */
EL_INLINE el_floats el_rows(int32_t rows, int32_t pitch, const el_t *p, size_t n)
{
    el_floats sum = el_nothing(n);
    while (rows > 0) {
        const int32_t some = el_min(rows, EL_SUM_ROWS);
        el_floats part = el_nothing(n);
        rows -= some;
#pragma clang loop unroll_count(4)
        for (int32_t r = 0; r < some; r++, p += pitch) {
            part = el_grow(part, EL_VMEM(vle, EL_WIDE)(p, n), n);
        }
        sum = __riscv_vfadd_vv_f32m8(sum, part, n);
    }
    return sum;
}

/* db += scale * the sum */
EL_INLINE void el_add_to(el_t *db, float scale, el_floats sum, size_t n)
{
    el_write(db, __riscv_vfmacc_vf_f32m8(el_read(db, n), scale, sum, n), n);
}

/* Where rows follow each other and are short some of them are one row. */
void EL_KERNEL(bias_bwd)(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_t *dy, el_t *db)
{
    const int32_t some = channels < EL_LANES && pitch == channels ? EL_LANES / channels : 1;
    if (some > 1 && rows >= some) {
        float sums[EL_LANES];
        const int32_t whole = rows / some;
        const size_t n = (size_t)channels;
        const size_t all = (size_t)(some * channels);
        __riscv_vse32_v_f32m8(sums, el_rows(whole, some * pitch, dy, all), all);
        el_floats sum = el_rows(rows - whole * some, pitch, dy + whole * some * pitch, n);
        for (int32_t r = 0; r < some; r++) {
            sum = __riscv_vfadd_vv_f32m8(sum, __riscv_vle32_v_f32m8(sums + r * channels, n), n);
        }
        el_add_to(db, scale, sum, n);
        return;
    }
    for (size_t n; channels > 0; channels -= (int32_t)n, dy += n, db += n) {
        n = EL_VL(EL_WIDE, channels);
        el_add_to(db, scale, el_rows(rows, pitch, dy, n), n);
    }
}

#endif
