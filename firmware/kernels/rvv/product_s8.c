/* Convolution and fully connected layers of int8 in vectors of RISC-V: a term of as many channels as four registers of
 * sums have lanes, times one byte of each of six positions.
 *
 * Operands are multiplied with their zero point; what that adds, x_zero times the sum of a channel's weights, is taken
 * off what its sums start with, once a call. */
#include "rescale_s8.h"

enum { EL_ROWS_S8 = 6, EL_LINES_S8 = EL_ROWS_S8, EL_CHUNK_S8 = 32, EL_UNIT_S8 = 0 };

#define EL_PANEL_BYTES(k) 0

#define EL_COPY_S8
EL_INLINE int8_t *el_copy_s8(int8_t *to, const int8_t *from, int32_t count)
{
    int8_t *end = to + count;
    while (to != end) {
        const size_t vl = __riscv_vsetvl_e8m8((size_t)(end - to));
        __riscv_vse8_v_i8m8(to, __riscv_vle8_v_i8m8(from, vl), vl);
        to += vl;
        from += vl;
    }
    return to;
}

EL_INLINE int8_t *el_fill_s8(int8_t *to, int32_t value, int32_t count)
{
    int8_t *end = to + count;
    while (to != end) {
        const size_t vl = __riscv_vsetvl_e8m8((size_t)(end - to));
        __riscv_vse8_v_i8m8(to, __riscv_vmv_v_x_i8m8((int8_t)value, vl), vl);
        to += vl;
    }
    return to;
}

typedef struct {
    const int8_t *row[EL_ROWS_S8];
} el_panel_s8;

#include "../product_s8/window.h"

/* One term of `vl` channels, `step` weights apart. */
EL_INLINE vint16m2_t weights_of(const int8_t *w, int32_t step, size_t vl)
{
    return __riscv_vsext_vf2_i16m2(__riscv_vlse8_v_i8m1(w, step, vl), vl);
}

EL_APART int8_t *el_prepare_s8(el_layer_s8 *l, int32_t channels, void *scratch)
{
    int32_t *start = scratch;
    for (int32_t o = 0; o < channels;) {
        const size_t vl = __riscv_vsetvl_e32m4((size_t)(channels - o));
        vint32m4_t v = l->b != 0 ? __riscv_vle32_v_i32m4(l->b + o, vl) : __riscv_vmv_v_x_i32m4(0, vl);
        for (int32_t k = 0; l->x_zero != 0 && k < l->terms; k++) {
            v = __riscv_vwmacc_vx_i32m4(v, (int16_t)-l->x_zero, weights_of(l->w + o * l->terms + k, l->terms, vl), vl);
        }
        __riscv_vse32_v_i32m4(start + o, v, vl);
        o += (int32_t)vl;
    }
    l->b = start;
    l->left = !el_rightwards(l->shift, channels);
    return (int8_t *)(start + channels);
}

EL_INLINE el_panel_s8 el_panel_s8_in(void *memory, int32_t k)
{
    (void)memory, (void)k;
    return (el_panel_s8){0};
}

EL_INLINE void el_pack_s8(el_panel_s8 *panel, int32_t i, int32_t rows, const el_line_s8 *line, int32_t x_zero)
{
    (void)rows, (void)x_zero;
    panel->row[i] = line->from;
}

/* Channels from o on for six positions; how many. */
EL_INLINE int32_t six_rows(const el_layer_s8 *l, const el_panel_s8 *panel, int32_t o, int32_t count, int32_t *sums)
{
    const size_t vl = __riscv_vsetvl_e32m4((size_t)count);
    const int32_t step = l->terms;
    const int8_t *w = l->w + o * step;
    const int8_t *a = panel->row[0];
    const int8_t *b = panel->row[1];
    const int8_t *c = panel->row[2];
    const int8_t *d = panel->row[3];
    const int8_t *e = panel->row[4];
    const int8_t *f = panel->row[5];
    vint32m4_t s0 = __riscv_vle32_v_i32m4(l->b + o, vl);
    vint32m4_t s1 = s0;
    vint32m4_t s2 = s0;
    vint32m4_t s3 = s0;
    vint32m4_t s4 = s0;
    vint32m4_t s5 = s0;
#define EL_TERM(t)                                                                                                     \
    {                                                                                                                  \
        const vint16m2_t v = weights_of(w + (t), step, vl);                                                            \
        s0 = __riscv_vwmacc_vx_i32m4(s0, a[t], v, vl);                                                                 \
        s1 = __riscv_vwmacc_vx_i32m4(s1, b[t], v, vl);                                                                 \
        s2 = __riscv_vwmacc_vx_i32m4(s2, c[t], v, vl);                                                                 \
        s3 = __riscv_vwmacc_vx_i32m4(s3, d[t], v, vl);                                                                 \
        s4 = __riscv_vwmacc_vx_i32m4(s4, e[t], v, vl);                                                                 \
        s5 = __riscv_vwmacc_vx_i32m4(s5, f[t], v, vl);                                                                 \
    }
    const int8_t *end = w + step;
    for (const int8_t *fours = w + (step & ~3); w != fours; w += 4, a += 4, b += 4, c += 4, d += 4, e += 4, f += 4) {
        EL_TERM(0)
        EL_TERM(1)
        EL_TERM(2)
        EL_TERM(3)
    }
    for (; w != end; w++, a++, b++, c++, d++, e++, f++) {
        EL_TERM(0)
    }
#undef EL_TERM
    __riscv_vse32_v_i32m4(sums, s0, vl);
    __riscv_vse32_v_i32m4(sums + EL_CHUNK_S8, s1, vl);
    __riscv_vse32_v_i32m4(sums + 2 * EL_CHUNK_S8, s2, vl);
    __riscv_vse32_v_i32m4(sums + 3 * EL_CHUNK_S8, s3, vl);
    __riscv_vse32_v_i32m4(sums + 4 * EL_CHUNK_S8, s4, vl);
    __riscv_vse32_v_i32m4(sums + 5 * EL_CHUNK_S8, s5, vl);
    return (int32_t)vl;
}

/* Channels from o on for one position, in eight registers; how many. */
EL_INLINE int32_t one_row(const el_layer_s8 *l, const int8_t *x, int32_t o, int32_t count, int32_t *sums)
{
    const size_t vl = __riscv_vsetvl_e32m8((size_t)count);
    const int32_t step = l->terms;
    const int8_t *w = l->w + o * step;
    vint32m8_t s = __riscv_vle32_v_i32m8(l->b + o, vl);
#define EL_TERM(t)                                                                                                     \
    s = __riscv_vwmacc_vx_i32m8(s, x[t], __riscv_vsext_vf2_i16m4(__riscv_vlse8_v_i8m2(w + (t), step, vl), vl), vl);
    const int8_t *end = w + step;
    for (const int8_t *fours = w + (step & ~3); w != fours; w += 4, x += 4) {
        EL_TERM(0)
        EL_TERM(1)
        EL_TERM(2)
        EL_TERM(3)
    }
    for (; w != end; w++, x++) {
        EL_TERM(0)
    }
#undef EL_TERM
    __riscv_vse32_v_i32m8(sums, s, vl);
    return (int32_t)vl;
}

EL_APART void el_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, int rows, int32_t first, int32_t count,
                         int32_t *sums)
{
    for (int32_t k = 0; k < count;) {
        k += rows == EL_ROWS_S8 ? six_rows(l, panel, first + k, count - k, sums + k)
                                : one_row(l, panel->row[0], first + k, count - k, sums + k);
    }
}

EL_APART void el_rescale_s8(const el_layer_s8 *l, int rows, int32_t first, int32_t count, const int32_t *sums,
                            int8_t *y)
{
    for (int32_t i = 0; i < rows; i++, y += l->pitch, sums += EL_CHUNK_S8) {
        for (int32_t k = 0; k < count;) {
            const size_t vl = __riscv_vsetvl_e32m4((size_t)(count - k));
            el_rescale_vector_s8(l, first + k, __riscv_vle32_v_i32m4(sums + k, vl), y + k, vl);
            k += (int32_t)vl;
        }
    }
}

#include "../product_s8/product.h"

EL_PRODUCTS_S8(rvv)
