/* Convolution and fully connected layers of int8 in portable C: tiles of three positions by two channels in registers,
 * or of four channels for one position. A panel has the positions side by side, widened and without their zero point.
 */
#include "../product_s8/single.h"

enum { EL_ROWS_S8 = 3, EL_LINES_S8 = 1, EL_CHUNK_S8 = 16, EL_UNIT_S8 = 1 };

#define EL_PANEL_BYTES(k) (((k)*EL_ROWS_S8 + 1) / 2 * 4)

typedef struct {
    int16_t *terms;
} el_panel_s8;

EL_INLINE int8_t *el_prepare_s8(el_layer_s8 *l, int32_t channels, void *scratch)
{
    l->small = el_small_s8(l, channels);
    return scratch;
}

EL_INLINE el_panel_s8 el_panel_s8_in(void *memory, int32_t k)
{
    (void)k;
    return (el_panel_s8){memory};
}

EL_INLINE void el_pack_s8(const el_panel_s8 *panel, int32_t i, int32_t rows, const el_line_s8 *line, int32_t x_zero)
{
    el_widen_s8(panel->terms + i, rows, line, x_zero);
}

/* sums[j][i] of channels j and positions i */
EL_INLINE void three_by_two(int32_t k, const int16_t *v, const int8_t *w, const int8_t *u, int32_t *sums, int32_t *next)
{
    int32_t w0 = sums[0];
    int32_t w1 = sums[0];
    int32_t w2 = sums[0];
    int32_t u0 = next[0];
    int32_t u1 = next[0];
    int32_t u2 = next[0];
#define EL_TERM(t)                                                                                                     \
    {                                                                                                                  \
        const int32_t a = w[t];                                                                                        \
        const int32_t b = u[t];                                                                                        \
        w0 += v[3 * (t)] * a;                                                                                          \
        u0 += v[3 * (t)] * b;                                                                                          \
        w1 += v[3 * (t) + 1] * a;                                                                                      \
        u1 += v[3 * (t) + 1] * b;                                                                                      \
        w2 += v[3 * (t) + 2] * a;                                                                                      \
        u2 += v[3 * (t) + 2] * b;                                                                                      \
    }
#define EL_ADVANCE(n) v += 3 * (n), w += (n), u += (n);
    EL_TERMS_S8(k, EL_TERM, EL_ADVANCE)
#undef EL_TERM
#undef EL_ADVANCE
    sums[0] = w0, sums[1] = w1, sums[2] = w2;
    next[0] = u0, next[1] = u1, next[2] = u2;
}

/* Of an odd number of channels the last one twice. */
EL_APART void sums_of_three(const el_layer_s8 *l, const int16_t *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t k = l->terms;
    const int8_t *w = l->w + first * k;
    int32_t spare[3];
    for (int32_t o = first; o < first + count; o += 2, w += 2 * k, sums += 6) {
        const int32_t hop = o + 1 < first + count ? 1 : 0;
        int32_t *next = hop != 0 ? sums + 3 : spare;
        sums[0] = el_start_s8(l, o);
        next[0] = el_start_s8(l, o + hop);
        three_by_two(k, panel, w, w + hop * k, sums, next);
    }
}

EL_INLINE void el_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first, int32_t count,
                          int32_t *sums)
{
    if (rows == EL_ROWS_S8) {
        sums_of_three(l, panel->terms, first, count, sums);
    } else {
        el_sums_of_one_s8(l, panel->terms, first, count, sums);
    }
}

#include "../product_s8/rescale.h"

#include "../product_s8/product.h"

EL_PRODUCTS_S8(blk)
