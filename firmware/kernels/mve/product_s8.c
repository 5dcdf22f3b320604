/* Convolution and fully connected layers of int8 on Helium: 16 products an instruction, lines of bytes as they lie.
 *
 * Operands are multiplied with their zero point; what that adds, x_zero times the sum of a channel's weights, is taken
 * off what is added to its sums, once a call. Loops are predicated on the terms that are left, so that a sum may have
 * any length and nothing behind it is read. Tiles are in tile_s8.h. */
#include "rescale_s8.h"

enum { EL_ROWS_S8 = 6, EL_LINES_S8 = EL_ROWS_S8, EL_CHUNK_S8 = 32, EL_UNIT_S8 = 0 };

enum {
    EL_SHORT = 64,  /* terms of a line of which six are rescaled together */
    EL_FIVES = 160, /* channels of a single position at a time, whose sums have as much room as those of six */
};

/* Positions of which the sums are rescaled together: fewer where windows are long. */
#define EL_TAKE_S8(l, left) el_min(left, (l)->terms <= EL_SHORT ? EL_ROWS_S8 : EL_ROWS_S8 / 2)
#define EL_REST_S8(rows) (rows)
#define EL_IN_PLACE_S8

#define EL_PANEL_BYTES(k) 0

#define EL_COPY_S8
/* `count` bytes; the end of `to`. */
EL_INLINE int8_t *el_copy_s8(int8_t *to, const int8_t *from, int32_t count)
{
    int8_t *end = to + count;
    __asm__ volatile("wlstp.8 lr, %[count], 2f\n"
                     "1: vldrb.8 q0, [%[from]], #16\n"
                     "vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to), [from] "+r"(from)
                     : [count] "r"(count)
                     : "lr", "q0", "memory");
    return end;
}

EL_INLINE int8_t *el_fill_s8(int8_t *to, int32_t value, int32_t count)
{
    int8_t *end = to + count;
    __asm__ volatile("vdup.8 q0, %[value]\n"
                     "wlstp.8 lr, %[count], 2f\n"
                     "1: vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to)
                     : [count] "r"(count), [value] "r"(value)
                     : "lr", "q0", "memory");
    return end;
}

#define EL_COPY_ROWS_S8
EL_INLINE void el_copy_rows_s8(int8_t *to, const int8_t *from, int32_t rows, int32_t count, int32_t step)
{
    const int32_t bytes = (count + 15) & ~15;
    __asm__ volatile("1: dlstp.8 lr, %[count]\n"
                     "2: vldrb.8 q0, [%[from]], #16\n"
                     "vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 2b\n"
                     "add %[from], %[from], %[skip]\n"
                     "add %[to], %[to], %[back]\n"
                     "subs %[rows], %[rows], #1\n"
                     "bne 1b\n"
                     : [to] "+r"(to), [from] "+r"(from), [rows] "+r"(rows)
                     : [count] "r"(count), [skip] "r"(step - bytes), [back] "r"(count - bytes)
                     : "lr", "q0", "cc", "memory");
}

typedef struct {
    const int8_t *row[EL_ROWS_S8];
} el_panel_s8;

#include "../product_s8/window.h"

EL_INLINE int32_t sum_of(const int8_t *w, int32_t terms)
{
    int32_t sum = 0;
    __asm__ volatile("dlstp.8 lr, %[terms]\n"
                     "1: vldrb.8 q0, [%[w]], #16\n"
                     "vaddva.s8 %[sum], q0\n"
                     "letp lr, 1b\n"
                     : [sum] "+Te"(sum), [w] "+r"(w)
                     : [terms] "r"(terms)
                     : "lr", "q0", "memory");
    return sum;
}

EL_APART int8_t *el_prepare_s8(el_layer_s8 *l, int32_t channels, void *scratch)
{
    int32_t *start = scratch;
    l->small = el_way_s8_of(l, channels);
    if (l->x_zero != 0 || l->b == 0) {
        for (int32_t o = 0; o < channels; o++) {
            start[o] = el_start_s8(l, o) - (l->x_zero != 0 ? l->x_zero * sum_of(l->w + o * l->terms, l->terms) : 0);
        }
        l->b = start;
    }
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

#include "tile_s8.h"

/* Of an odd number of channels the last one is both of the last two. */
EL_INLINE void by_pairs(const el_layer_s8 *l, const int8_t *const *row, int32_t first, int32_t count, int32_t *sums)
{
    const int8_t *w = l->w + first * l->terms;
    if (count > 1) {
        el_pairs_s8(row, l->terms, w, l->terms, count >> 1, sums);
    }
    if ((count & 1) != 0) {
        el_pairs_s8(row, l->terms, w + (count - 1) * l->terms, 0, 1, sums + (count - 1));
    }
}

/* Of six channels, say, the last five are computed once more. */
EL_INLINE void by_fives(const el_layer_s8 *l, const int8_t *x, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t terms = l->terms;
    const int8_t *w = l->w + first * terms;
    if (count < 5) {
        for (; count > 0; count--, w += terms) {
            *sums++ = el_one_by_one_s8(terms, x, w);
        }
        return;
    }
    for (;;) {
        el_one_by_five_s8(terms, x, w, terms, sums);
        if (count == 5) {
            return;
        }
        const int32_t ahead = el_min(count - 5, 5);
        count -= ahead;
        w += ahead * terms;
        sums += ahead;
    }
}

/* The positions that a tile has and a panel has not are the last one once more. */
EL_APART void fill_up(el_panel_s8 *panel, int32_t rows)
{
    for (int32_t i = rows; i < EL_ROWS_S8; i++) {
        panel->row[i] = panel->row[rows - 1];
    }
}

#define EL_CHANNELS_S8
EL_APART void el_channels_s8(const el_layer_s8 *l, el_panel_s8 *panel, int32_t rows, int32_t first, int32_t count,
                             int8_t *y)
{
    int32_t sums[EL_ROWS_S8 * EL_CHUNK_S8];
    const int single = rows == 1 && l->terms > 16;
    const int32_t most = single ? EL_FIVES : EL_CHUNK_S8;
    if (rows < EL_ROWS_S8) {
        fill_up(panel, rows);
    }
    for (const int32_t end = first + count; first < end; first += most) {
        const int32_t n = el_min(most, end - first);
        if (single) {
            by_fives(l, panel->row[0], first, n, sums);
        } else {
            by_pairs(l, panel->row, first, n, sums);
        }
        if (rows > 3 && l->terms > 16) {
            by_pairs(l, panel->row + 3, first, n, sums + 3 * EL_CHUNK_S8);
        }
        el_rescale_channels_s8(l, rows, EL_CHUNK_S8, first, n, sums, l->pitch, y + first);
    }
}

#include "../product_s8/product.h"

EL_PRODUCTS_S8(mve)
