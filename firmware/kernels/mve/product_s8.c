/* Convolution and fully connected layers of int8 on Helium: 16 products an instruction, lines of bytes as they lie.
 *
 * Operands are multiplied with their zero point; what that adds, x_zero times the sum of a channel's weights, is taken
 * off what its sums start with, once a call. Loops are predicated on the terms that are left, so that a sum may have
 * any length and nothing behind it is read. */
#include "rescale_s8.h"

enum { EL_ROWS_S8 = 3, EL_LINES_S8 = EL_ROWS_S8, EL_CHUNK_S8 = 40, EL_UNIT_S8 = 0 };

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
    l->left = el_any_left_s8(channels, l->shift);
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

#define EL_LOAD(to, from) "vldrb.8 " to ", [%[" from "]], #16\n"
#define EL_DOT(sum, a, b) "vmladava.s8 %[" sum "], " a ", " b "\n"

/* Two channels for three positions: sums[row][channel]. */
EL_INLINE void three_by_two(int32_t terms, const el_panel_s8 *panel, const int8_t *w, const int8_t *u, int32_t start_w,
                            int32_t start_u, int32_t *sums)
{
    const int8_t *x = panel->row[0];
    const int8_t *y = panel->row[1];
    const int8_t *z = panel->row[2];
    int32_t xw = start_w;
    int32_t yw = start_w;
    int32_t zw = start_w;
    int32_t xu = start_u;
    int32_t yu = start_u;
    int32_t zu = start_u;
    register int32_t left __asm__("lr") = terms;
    __asm__ volatile("dlstp.8 lr, lr\n"
                     "1:\n" EL_LOAD("q0", "x") EL_LOAD("q3", "w") EL_LOAD("q1", "y") EL_DOT("xw", "q0", "q3")
                         EL_LOAD("q2", "z") EL_DOT("yw", "q1", "q3") EL_LOAD("q4", "u") EL_DOT("zw", "q2", "q3")
                             EL_DOT("xu", "q0", "q4") EL_DOT("yu", "q1", "q4") EL_DOT("zu", "q2", "q4") "letp lr, 1b\n"
                     : [xw] "+Te"(xw), [yw] "+Te"(yw), [zw] "+Te"(zw), [xu] "+Te"(xu), [yu] "+Te"(yu), [zu] "+Te"(zu),
                       [x] "+r"(x), [y] "+r"(y), [z] "+r"(z), [w] "+r"(w), [u] "+r"(u), [left] "+r"(left)
                     :
                     : "q0", "q1", "q2", "q3", "q4", "memory");
    sums[0] = xw, sums[1] = xu;
    sums[EL_CHUNK_S8] = yw, sums[EL_CHUNK_S8 + 1] = yu;
    sums[2 * EL_CHUNK_S8] = zw, sums[2 * EL_CHUNK_S8 + 1] = zu;
}

/* Five channels, `step` weights apart, for one position. */
EL_INLINE void one_by_five(int32_t terms, const int8_t *x, const int8_t *w0, int32_t step, const int32_t *start,
                           int32_t *sums)
{
    const int8_t *w1 = w0 + step;
    const int8_t *w2 = w1 + step;
    const int8_t *w3 = w2 + step;
    const int8_t *w4 = w3 + step;
    int32_t s0 = start[0];
    int32_t s1 = start[1];
    int32_t s2 = start[2];
    int32_t s3 = start[3];
    int32_t s4 = start[4];
    register int32_t left __asm__("lr") = terms;
    __asm__ volatile("dlstp.8 lr, lr\n"
                     "1:\n" EL_LOAD("q0", "x") EL_LOAD("q1", "w0") EL_LOAD("q2", "w1") EL_DOT("s0", "q0", "q1")
                         EL_LOAD("q1", "w2") EL_DOT("s1", "q0", "q2") EL_LOAD("q2", "w3") EL_DOT("s2", "q0", "q1")
                             EL_LOAD("q1", "w4") EL_DOT("s3", "q0", "q2") EL_DOT("s4", "q0", "q1") "letp lr, 1b\n"
                     : [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [s4] "+Te"(s4), [x] "+r"(x),
                       [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [w4] "+r"(w4), [left] "+r"(left)
                     :
                     : "q0", "q1", "q2", "memory");
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3, sums[4] = s4;
}

EL_INLINE int32_t one_by_one(int32_t terms, const int8_t *x, const int8_t *w, int32_t sum)
{
    register int32_t left __asm__("lr") = terms;
    __asm__ volatile("dlstp.8 lr, lr\n"
                     "1:\n" EL_LOAD("q0", "x") EL_LOAD("q1", "w") EL_DOT("sum", "q0", "q1") "letp lr, 1b\n"
                     : [sum] "+Te"(sum), [x] "+r"(x), [w] "+r"(w), [left] "+r"(left)
                     :
                     : "q0", "q1", "memory");
    return sum;
}

/* Of an odd number of channels the last one is both of the last two. */
EL_APART void sums_of_three(const el_layer_s8 *l, const el_panel_s8 *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t terms = l->terms;
    const int8_t *w = l->w + first * terms;
    const int32_t *b = l->b + first;
    for (; count >= 2; count -= 2, w += 2 * terms, b += 2, sums += 2) {
        three_by_two(terms, panel, w, w + terms, b[0], b[1], sums);
    }
    if (count != 0) {
        three_by_two(terms, panel, w, w, b[0], b[0], sums);
    }
}

/* Of six channels, say, the last five are computed once more. */
EL_APART void sums_of_one(const el_layer_s8 *l, const el_panel_s8 *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int8_t *x = panel->row[0];
    const int32_t terms = l->terms;
    const int8_t *w = l->w + first * terms;
    const int32_t *b = l->b + first;
    if (count < 5) {
        for (; count > 0; count--, w += terms) {
            *sums++ = one_by_one(terms, x, w, *b++);
        }
        return;
    }
    for (;;) {
        one_by_five(terms, x, w, terms, b, sums);
        if (count == 5) {
            return;
        }
        const int32_t ahead = el_min(count - 5, 5);
        count -= ahead;
        w += ahead * terms;
        b += ahead;
        sums += ahead;
    }
}

EL_INLINE void el_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first, int32_t count,
                          int32_t *sums)
{
    if (rows == EL_ROWS_S8) {
        sums_of_three(l, panel, first, count, sums);
    } else {
        sums_of_one(l, panel, first, count, sums);
    }
}

EL_APART void el_rescale_s8(const el_layer_s8 *l, int rows, int32_t first, int32_t count, const int32_t *sums,
                            int8_t *y)
{
    for (int32_t i = 0; i < rows; i++, y += l->pitch, sums += EL_CHUNK_S8) {
        el_rescale_channels_s8(l, first, count, sums, y);
    }
}

#include "../product_s8/product.h"

EL_PRODUCTS_S8(mve)
