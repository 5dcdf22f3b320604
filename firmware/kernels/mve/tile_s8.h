/* Sums of int8 products on Helium, in tiles of positions by channels: VMLADAV multiplies 16 pairs and adds all of them.
 *
 * Sums lie as [position][EL_CHUNK_S8]. The last vector of a line is loaded with what the line has left, zeros behind
 * it, so nothing behind a line is read. */
#ifndef EL_MVE_TILE_S8_H
#define EL_MVE_TILE_S8_H

#include "../product_s8/layer.h"

_Static_assert(EL_CHUNK_S8 == 32, "offsets of sums are 128 bytes");

/* Six positions with lines of one vector at most, which stay in registers, by two channels. */
EL_INLINE void el_six_by_two_s8(const int8_t *const *row, int32_t terms, const int8_t *w, int32_t other, int32_t pairs,
                                int32_t *sums)
{
    const int8_t *u = w + other;
    const int32_t step = 2 * other;
    int32_t a, b, c, d;
#define EL_POSITION(q, at) "ldr %[a], [%[row], #" at "]\nvpst\nvldrbt.8 " q ", [%[a]]\n"
#define EL_BY_TWO(q, s, t) "vmladav.s8 %[" s "], " q ", q6\nvmladav.s8 %[" t "], " q ", q7\n"
#define EL_BOTH(s, t, at) "strd %[" s "], %[" t "], [%[sums]" at "\n"
    __asm__ volatile(
        "vctp.8 %[terms]\n" EL_POSITION("q0", "0") EL_POSITION("q1", "4") EL_POSITION("q2", "8") EL_POSITION("q3", "12")
            EL_POSITION("q4", "16") EL_POSITION(
                "q5", "20") "dls lr, %[pairs]\n"
                            "1: vpstt\n"
                            "vldrbt.8 q6, [%[w]]\n"
                            "vldrbt.8 q7, [%[u]]\n"
                            "add %[w], %[w], %[step]\n"
                            "add %[u], %[u], %[step]\n" EL_BY_TWO("q1", "a", "b") EL_BY_TWO("q2", "c", "d")
                                EL_BOTH("a", "b", ", #128]") EL_BY_TWO("q3", "a", "b") EL_BOTH("c", "d", ", #256]")
                                    EL_BY_TWO("q4", "c", "d") EL_BOTH("a", "b", ", #384]") EL_BY_TWO("q5", "a", "b")
                                        EL_BOTH("c", "d", ", #512]") EL_BY_TWO("q0", "c", "d")
                                            EL_BOTH("a", "b", ", #640]") EL_BOTH("c", "d", "], #8") "le lr, 1b\n"
        : [w] "+r"(w), [u] "+r"(u), [sums] "+r"(sums), [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d)
        : [row] "r"(row), [terms] "r"(terms), [pairs] "r"(pairs), [step] "r"(step)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "memory");
#undef EL_BOTH
#undef EL_BY_TWO
#undef EL_POSITION
}

/* Three positions by two channels: `dot` of 16 terms at `at`, which is an address' end. */
#define EL_LOAD(to, from, at) "vldrb.8 " to ", [%[" from "]" at "\n"
#define EL_DOT(dot, sum, a, b) dot ".s8 %[" sum "], " a ", " b "\n"
#define EL_DOTS(dot)                                                                                                   \
    EL_DOT(dot, "xw", "q0", "q3")                                                                                      \
    EL_DOT(dot, "yw", "q1", "q3")                                                                                      \
    EL_DOT(dot, "zw", "q2", "q3")                                                                                      \
    EL_DOT(dot, "xu", "q0", "q4")                                                                                      \
    EL_DOT(dot, "yu", "q1", "q4")                                                                                      \
    EL_DOT(dot, "zu", "q2", "q4")
#define EL_VECTORS(dot, at)                                                                                            \
    EL_LOAD("q0", "x", at)                                                                                             \
    EL_LOAD("q3", "w", at)                                                                                             \
    EL_LOAD("q1", "y", at) EL_LOAD("q2", "z", at) EL_LOAD("q4", "u", at) EL_DOTS(dot)
#define EL_LAST_LOAD(to, from, at) "vldrbt.8 " to ", [%[" from "]" at "\n"
#define EL_LAST(at)                                                                                                    \
    "vpstttt\n" EL_LAST_LOAD("q0", "x", at) EL_LAST_LOAD("q1", "y", at) EL_LAST_LOAD("q2", "z", at)                    \
        EL_LAST_LOAD("q3", "w", at) "vpst\n" EL_LAST_LOAD("q4", "u", at) EL_DOTS("vmladava")
#define EL_STORE                                                                                                       \
    "strd %[yw], %[yu], [%[sums], #128]\n"                                                                             \
    "strd %[zw], %[zu], [%[sums], #256]\n"                                                                             \
    "strd %[xw], %[xu], [%[sums]], #8\n"
#define EL_OPERANDS                                                                                                    \
    [xw] "=&Te"(xw), [yw] "=&Te"(yw), [zw] "=&Te"(zw), [xu] "=&Te"(xu), [yu] "=&Te"(yu), [zu] "=&Te"(zu), [x] "+r"(x), \
        [y] "+r"(y), [z] "+r"(z), [w] "+r"(w), [u] "+r"(u), [sums] "+r"(sums), [left] "+r"(left)
#define EL_SUMS                                                                                                        \
    const int8_t *x = row[0];                                                                                          \
    const int8_t *y = row[1];                                                                                          \
    const int8_t *z = row[2];                                                                                          \
    const int8_t *u = w + other;                                                                                       \
    int32_t xw, yw, zw, xu, yu, zu

/* Lines of two to four vectors: all of a pair's instructions in a row. */
#define EL_STRAIGHT(vectors, middle, last)                                                                             \
    EL_INLINE void el_three_by_two_##vectors(const int8_t *const *row, int32_t rest, const int8_t *w, int32_t other,   \
                                             int32_t pairs, int32_t *sums)                                             \
    {                                                                                                                  \
        EL_SUMS;                                                                                                       \
        const int32_t step = 2 * other;                                                                                \
        register int32_t left __asm__("lr") = pairs;                                                                   \
        __asm__ volatile("vctp.8 %[xw]\n"                                                                              \
                         "dls lr, lr\n"                                                                                \
                         "1:\n" EL_VECTORS("vmladav", "]") middle EL_LAST(last) EL_STORE "ldr %[xw], %[step]\n"        \
                                                                                         "add %[w], %[w], %[xw]\n"     \
                                                                                         "add %[u], %[u], %[xw]\n"     \
                                                                                         "le lr, 1b\n"                 \
                         : EL_OPERANDS                                                                                 \
                         : [step] "m"(step), "[xw]"(rest)                                                              \
                         : "q0", "q1", "q2", "q3", "q4", "memory");                                                    \
    }
EL_STRAIGHT(2, "", ", #16]")
EL_STRAIGHT(3, EL_VECTORS("vmladava", ", #16]"), ", #32]")
EL_STRAIGHT(4, EL_VECTORS("vmladava", ", #16]") EL_VECTORS("vmladava", ", #32]"), ", #48]")
#undef EL_STRAIGHT

/* Lines of more vectors. */
EL_INLINE void el_three_by_two_many(const int8_t *const *row, int32_t terms, const int8_t *w, int32_t other,
                                    int32_t pairs, int32_t *sums)
{
    EL_SUMS;
    const int32_t *end = sums + 2 * pairs;
    const int32_t back = (terms - 1) & ~15;
    const int32_t step = 2 * other - back;
    register int32_t left __asm__("lr") = (back >> 4) - 1;
    const int32_t loops = left;
    __asm__ volatile("vctp.8 %[xw]\n"
                     "1: dls lr, lr\n" EL_VECTORS("vmladav", "], #16") "2:\n" EL_VECTORS(
                         "vmladava", "], #16") "le lr, 2b\n" EL_LAST("]") EL_STORE "ldr %[xw], %[back]\n"
                                                                                   "ldr %[yw], %[step]\n"
                                                                                   "ldr lr, %[loops]\n"
                                                                                   "sub %[x], %[x], %[xw]\n"
                                                                                   "sub %[y], %[y], %[xw]\n"
                                                                                   "sub %[z], %[z], %[xw]\n"
                                                                                   "ldr %[xw], %[end]\n"
                                                                                   "add %[w], %[w], %[yw]\n"
                                                                                   "add %[u], %[u], %[yw]\n"
                                                                                   "cmp %[sums], %[xw]\n"
                                                                                   "bne 1b\n"
                     : EL_OPERANDS
                     : [back] "m"(back), [step] "m"(step), [loops] "m"(loops), [end] "m"(end), "[xw]"(terms - back)
                     : "q0", "q1", "q2", "q3", "q4", "cc", "memory");
}

#undef EL_SUMS
#undef EL_OPERANDS
#undef EL_STORE
#undef EL_LAST
#undef EL_LAST_LOAD
#undef EL_VECTORS
#undef EL_DOTS
#undef EL_DOT
#undef EL_LOAD

/* Twice `pairs` channels, each pair `other` weights apart, for the positions of a tile. */
EL_APART void el_pairs_s8(const int8_t *const *row, int32_t terms, const int8_t *w, int32_t other, int32_t pairs,
                          int32_t *sums)
{
    if (terms <= 16) {
        el_six_by_two_s8(row, terms, w, other, pairs, sums);
    } else if (terms <= 32) {
        el_three_by_two_2(row, terms - 16, w, other, pairs, sums);
    } else if (terms <= 48) {
        el_three_by_two_3(row, terms - 32, w, other, pairs, sums);
    } else if (terms <= 64) {
        el_three_by_two_4(row, terms - 48, w, other, pairs, sums);
    } else {
        el_three_by_two_many(row, terms, w, other, pairs, sums);
    }
}

#define EL_LOAD(to, from) "vldrb.8 " to ", [%[" from "]], #16\n"
#define EL_DOT(sum, a, b) "vmladava.s8 %[" sum "], " a ", " b "\n"

/* Five channels, `step` weights apart, for one position. */
EL_APART void el_one_by_five_s8(int32_t terms, const int8_t *x, const int8_t *w0, int32_t step, int32_t *sums)
{
    const int8_t *w1 = w0 + step;
    const int8_t *w2 = w1 + step;
    const int8_t *w3 = w2 + step;
    const int8_t *w4 = w3 + step;
    int32_t s0 = 0;
    int32_t s1 = 0;
    int32_t s2 = 0;
    int32_t s3 = 0;
    int32_t s4 = 0;
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

EL_INLINE int32_t el_one_by_one_s8(int32_t terms, const int8_t *x, const int8_t *w)
{
    int32_t sum = 0;
    register int32_t left __asm__("lr") = terms;
    __asm__ volatile("dlstp.8 lr, lr\n"
                     "1:\n" EL_LOAD("q0", "x") EL_LOAD("q1", "w") EL_DOT("sum", "q0", "q1") "letp lr, 1b\n"
                     : [sum] "+Te"(sum), [x] "+r"(x), [w] "+r"(w), [left] "+r"(left)
                     :
                     : "q0", "q1", "memory");
    return sum;
}

#undef EL_DOT
#undef EL_LOAD

#endif
