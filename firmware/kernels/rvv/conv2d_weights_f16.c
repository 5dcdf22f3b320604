/* Convolution in halves: the gradient of w. Blocks of terms are summed in halves, and so are two blocks, since what
 * they are added to is a half too; more than two go into floats. */
#include "f16.h"

#include "sums.h"
#include "tile.h"

EL_INLINE el_t *el_behind(el_t *p, int32_t bytes)
{
    return (el_t *)(void *)((char *)p + bytes);
}

/* Where the sums of a tile are: none yet, those of its first block in halves, all in floats. */
typedef enum { EL_NOWHERE, EL_IN_HALVES, EL_IN_FLOATS } el_where;

/* The last block's sums, in halves, and those of the blocks before. */
typedef struct {
    el_t *last, *halves;
    float *floats;
} el_sums;

/* Room for both in scratch: halves behind the first ones are where they are read before floats come there. */
EL_INLINE el_sums el_sums_in(void *memory, el_where where)
{
    el_t *const halves = memory;
    float *const floats = (float *)(void *)((char *)memory + EL_TILE_HEIGHT * EL_TILE_BYTES);
    el_t *const behind = halves + 2 * EL_TILE_HEIGHT * EL_TILE_WIDTH;
    return (el_sums){.last = where == EL_IN_HALVES ? behind : halves, .halves = halves, .floats = floats};
}

/* All sums there are of n elements at the end. */
EL_INLINE vfloat32m8_t el_sum_of(el_where where, const el_t *last, const float *floats, size_t n)
{
    const vfloat16m4_t c = __riscv_vle16_v_f16m4(last, n);
    return where == EL_NOWHERE ? __riscv_vfwcvt_f_f_v_f32m8(c, n)
                               : __riscv_vfwadd_wv_f32m8(__riscv_vle32_v_f32m8(floats, n), c, n);
}

/* The second block's sums and those of the first one go into floats. */
EL_APART void el_open_floats(void *memory, int32_t count)
{
    const el_sums r = el_sums_in(memory, EL_IN_HALVES);
    size_t n;
    for (int32_t at = 0; at < count; at += (int32_t)n) {
        n = EL_VL(m4, count - at);
        const vfloat16m4_t first = __riscv_vle16_v_f16m4(r.halves + at, n);
        const vfloat16m4_t second = __riscv_vle16_v_f16m4(r.last + at, n);
        __riscv_vse32_v_f32m8(r.floats + at, __riscv_vfwadd_vv_f32m8(first, second, n), n);
    }
}

/* floats += c; of eight registers four, what is behind them comes in a second turn, so that vtype changes once. */
#define EL_WIDEN(M, F)                                                                                                 \
    EL_INLINE void el_widen_##M(size_t n, EL_V(M) c, float *floats)                                                    \
    {                                                                                                                  \
        __riscv_vse32_v_f32##F(floats, __riscv_vfwadd_wv_f32##F(__riscv_vle32_v_f32##F(floats, n), c, n), n);          \
    }                                                                                                                  \
    EL_INLINE void el_widen_rest_##M(size_t n, EL_V(M) c, float *floats)                                               \
    {                                                                                                                  \
        (void)n, (void)c, (void)floats;                                                                                \
    }
EL_WIDEN(m1, m2)
EL_WIDEN(m2, m4)
EL_WIDEN(m4, m8)

EL_INLINE void el_widen_m8(size_t n, vfloat16m8_t c, float *floats)
{
    const size_t lanes = __riscv_vsetvlmax_e16m4();
    el_widen_m4(n < lanes ? n : lanes, __riscv_vget_v_f16m8_f16m4(c, 0), floats);
}

EL_INLINE void el_widen_rest_m8(size_t n, vfloat16m8_t c, float *floats)
{
    const size_t lanes = __riscv_vsetvlmax_e16m4();
    if (n > lanes) {
        el_widen_m4(n - lanes, __riscv_vget_v_f16m8_f16m4(c, 1), floats + lanes);
    }
}

/* y += scale * all sums for n elements, rounded once; columns of y are `bytes` apart. */
EL_INLINE void el_update_some(el_where where, float scale, size_t n, const el_t *last, const float *floats,
                              ptrdiff_t bytes, el_t *y)
{
    const vfloat32m8_t sum = el_sum_of(where, last, floats, n);
    const vfloat16m4_t old = __riscv_vlse16_v_f16m4(y, bytes, n);
    const vfloat32m8_t total = scale == 1.0f
                                   ? __riscv_vfwadd_wv_f32m8(sum, old, n)
                                   : __riscv_vfmacc_vf_f32m8(__riscv_vfwcvt_f_f_v_f32m8(old, n), scale, sum, n);
    __riscv_vsse16_v_f16m4(y, bytes, __riscv_vfncvt_f_f_w_f16m4(total, n), n);
}

/* Rows of sums, `pitch` apart, of `count` elements each, to rows that are `line` bytes apart. */
typedef struct {
    const el_t *last;
    const float *floats;
    int32_t rows, count, pitch;
    ptrdiff_t bytes, line;
    el_t *y;
} el_rows;

EL_INLINE void el_update_rows(el_where where, float scale, const el_rows *r)
{
    const ptrdiff_t bytes = r->bytes;
    const ptrdiff_t line = r->line;
    const int32_t pitch = r->pitch;
    const int32_t count = r->count;
    const size_t n = EL_VL(m4, count);
    const int32_t whole = count - count % (int32_t)n;
    const int32_t hop = (int32_t)n * (int32_t)bytes;
    const el_t *last = r->last;
    const float *floats = r->floats;
    el_t *y = r->y;
    for (const el_t *const end = last + r->rows * pitch; last != end; y = el_behind(y, line)) {
        el_t *to = y;
        for (const el_t *const stop = last + whole; last != stop; last += n, floats += n) {
            el_update_some(where, scale, n, last, floats, bytes, to);
            to = el_behind(to, hop);
        }
        if (whole != count) {
            el_update_some(where, scale, EL_VL(m4, count - whole), last, floats, bytes, to);
        }
        last += pitch - whole, floats += pitch - whole;
    }
}

EL_APART void el_update_floats(const el_rows *r)
{
    el_update_rows(EL_IN_FLOATS, 1.0f, r);
}

EL_APART void el_update_scaled(el_where where, float scale, const el_rows *r)
{
    el_update_rows(where, scale, r);
}

/* The same of a single block with scale 1. */
EL_APART void el_update_single(const el_rows *r)
{
    const el_t *last = r->last;
    el_t *y = r->y;
    for (int32_t rows = r->rows; rows > 0; rows--, last += r->pitch, y = el_behind(y, (int32_t)r->line)) {
        el_t *to = y;
        size_t n;
        for (int32_t at = 0; at < r->count; at += (int32_t)n) {
            n = EL_VL(m8, r->count - at);
            const vfloat16m8_t c = __riscv_vle16_v_f16m8(last + at, n);
            __riscv_vsse16_v_f16m8(to, r->bytes, __riscv_vfadd_vv_f16m8(c, __riscv_vlse16_v_f16m8(to, r->bytes, n), n),
                                   n);
            to = el_behind(to, (int32_t)n * (int32_t)r->bytes);
        }
    }
}

/* All rows of a tile to where they belong, part by part. */
EL_APART void el_update(const el_tile *t, el_where where, int32_t rows, el_t *y)
{
    const el_sums all = el_sums_in(t->sums, where);
    const int32_t cols = t->cols;
    const int32_t size = (int32_t)sizeof(el_t);
    el_rows r = {.last = all.last,
                 .floats = all.floats,
                 .rows = rows,
                 .count = cols,
                 .pitch = cols,
                 .bytes = t->apart * size,
                 .line = t->ldy * size,
                 .y = y};
    int32_t within = 0;
    if (t->part != 0) {
        within = t->column % t->part;
        r.y += t->column / t->part * t->step + within * t->apart;
        r.count = el_min(t->part - within, cols);
    }
    for (int32_t left = cols; left > 0; within = 0) {
        if (t->scale != 1.0f) {
            el_update_scaled(where, t->scale, &r);
        } else if (where == EL_IN_FLOATS) {
            el_update_floats(&r);
        } else {
            el_update_single(&r);
        }
        r.last += r.count, r.floats += r.count;
        r.y += t->step - within * t->apart;
        left -= r.count;
        r.count = el_min(t->part, left);
    }
}

#define EL_LONGEST EL_SUM_TERMS
#define EL_START(H, M) el_where where = EL_NOWHERE
#define EL_PUT(i, M) EL_VMEM(vse, M)(to + (i) * (int32_t)vl, c##i, vl);
#define EL_WIDEN_ROW(i, M) el_widen_##M(vl, c##i, floats + (i) * (int32_t)vl);
#define EL_WIDEN_REST(i, M) el_widen_rest_##M(vl, c##i, floats + (i) * (int32_t)vl);
#define EL_ADD(i, M) EL_VMEM(vse, M)(y, EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vle, M)(y, vl), vl), vl), y += t->ldy;
#define EL_ADD_APART(i, M)                                                                                             \
    EL_VMEM(vsse, M)(y, bytes, EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vlse, M)(y, bytes, vl), vl), vl), y += t->ldy;
#define EL_JOIN_FIRST(i, M) c##i = EL_VOP(vfadd_vv, M)(EL_VMEM(vle, M)(first + (i) * (int32_t)vl, vl), c##i, vl);
#define EL_END(H, M, done)                                                                                             \
    if (!(done) && where == EL_IN_FLOATS) {                                                                            \
        float *const floats = el_sums_in(t->sums, where).floats;                                                       \
        EL_ROWS##H(EL_WIDEN_ROW, M) EL_ROWS##H(EL_WIDEN_REST, M)                                                       \
    } else if (!(done)) {                                                                                              \
        el_t *const to = el_sums_in(t->sums, where).last;                                                              \
        EL_ROWS##H(EL_PUT, M);                                                                                         \
        if (where == EL_IN_HALVES) {                                                                                   \
            el_open_floats(t->sums, (H) * (int32_t)vl);                                                                \
            where = EL_IN_FLOATS;                                                                                      \
        } else {                                                                                                       \
            where = EL_IN_HALVES;                                                                                      \
        }                                                                                                              \
    } else {                                                                                                           \
        if (where == EL_IN_HALVES) {                                                                                   \
            const el_t *const first = t->sums;                                                                         \
            EL_ROWS##H(EL_JOIN_FIRST, M) where = EL_NOWHERE;                                                           \
        }                                                                                                              \
        if (where == EL_NOWHERE && t->scale == 1.0f && t->part == 0) {                                                 \
            const ptrdiff_t bytes = t->apart * (ptrdiff_t)sizeof(el_t);                                                \
            if (t->apart == 1) {                                                                                       \
                EL_ROWS##H(EL_ADD, M)                                                                                  \
            } else {                                                                                                   \
                EL_ROWS##H(EL_ADD_APART, M)                                                                            \
            }                                                                                                          \
        } else {                                                                                                       \
            el_t *const to = el_sums_in(t->sums, where).last;                                                          \
            EL_ROWS##H(EL_PUT, M);                                                                                     \
            el_update(t, where, H, y), y += (H)*t->ldy;                                                                \
        }                                                                                                              \
    }

#include "weights.h"

void el_conv2d_bwd_w_f16__rvv(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                              void *scratch)
{
    el_product_weights(s, scale, x, dy, dw, scratch);
}
