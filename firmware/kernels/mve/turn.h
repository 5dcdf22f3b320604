/* Packing: rows and columns are turned by scattering vectors, or copied. */
#ifndef EL_MVE_TURN_H
#define EL_MVE_TURN_H

enum {
    EL_WORD = (int)(sizeof(el_row_t) / sizeof(el_t)), /* elements of maps in one of packed rows */
    EL_MOST_TURNED = 7
};

#define EL_TURN_ONE(q) EL_VLDR " q0, [%[p]]\n" EL_VSTR " q0, [%[t], " q ", uxtw #" EL_LOG "]\nadd %[p], %[pitch]\n"
#define EL_TURN_1 EL_TURN_ONE("q1")
#define EL_TURN_2 EL_TURN_1 EL_TURN_ONE("q2")
#define EL_TURN_3 EL_TURN_2 EL_TURN_ONE("q3")
#define EL_TURN_4 EL_TURN_3 EL_TURN_ONE("q4")
#define EL_TURN_5 EL_TURN_4 EL_TURN_ONE("q5")
#define EL_TURN_6 EL_TURN_5 EL_TURN_ONE("q6")
#define EL_TURN_7 EL_TURN_6 EL_TURN_ONE("q7")
#define EL_TURN_ALL(n)                                                                                                 \
    EL_TAIL_BEGIN " lr, %[count], 2f\n"                                                                                \
                  "1:\n" EL_TURN_##n "sub %[p], %[back]\n"                                                             \
                                     "add %[t], %[hop]\n"                                                              \
                                     "letp lr, 1b\n"                                                                   \
                                     "2:\n"
#define EL_TURN_OPERANDS(n)                                                                                            \
    [count] "r"(count), [pitch] "r"(bytes), [back] "r"(n * bytes - 16), [hop] "r"(hop), "w"(q1), "w"(q2), "w"(q3),     \
        "w"(q4), "w"(q5), "w"(q6), "w"(q7)
#define EL_TURN_CASE(n)                                                                                                \
    case n:                                                                                                            \
        __asm__ volatile(EL_TURN_ALL(n)                                                                                \
                         : [t] "+&r"(to), [p] "+&r"(from)                                                              \
                         : EL_TURN_OPERANDS(n)                                                                         \
                         : "q0", "lr", "memory");                                                                      \
        break;
#define EL_TURN_CASE_TIMES(n)                                                                                          \
    case n:                                                                                                            \
        __asm__ volatile(                                                                                              \
            "0: mov %[p], %[from]\n"                                                                                   \
            "mov %[t], %[to]\n" EL_TURN_ALL(n) "add %[from], %[piece]\n"                                               \
                                               "add %[to], %[block]\n"                                                 \
                                               "subs %[times], #1\n"                                                   \
                                               "bne 0b\n"                                                              \
            : [to] "+&r"(to), [from] "+&r"(from), [times] "+&r"(times), [p] "=&r"(p), [t] "=&r"(t)                     \
            : [piece] "r"(piece * (int32_t)sizeof(el_t)), [block] "r"(count * stride * (int32_t)sizeof(el_t)),         \
              EL_TURN_OPERANDS(n)                                                                                      \
            : "q0", "lr", "cc", "memory");                                                                             \
        break;
#define EL_TURN_PLACES                                                                                                 \
    const int32_t bytes = pitch * (int32_t)sizeof(el_t);                                                               \
    const int32_t hop = EL_LANES * stride * (int32_t)sizeof(el_t);                                                     \
    register el_index q1 __asm__("q1") = EL_INDEX(vmulq_n)(EL_INDEX(vidupq_n)(0, 1), (el_index_t)stride);              \
    register el_index q2 __asm__("q2") = EL_INDEX(vaddq_n)(q1, (el_index_t)step);                                      \
    register el_index q3 __asm__("q3") = EL_INDEX(vaddq_n)(q2, (el_index_t)step);                                      \
    register el_index q4 __asm__("q4") = EL_INDEX(vaddq_n)(q3, (el_index_t)step);                                      \
    register el_index q5 __asm__("q5") = EL_INDEX(vaddq_n)(q4, (el_index_t)step);                                      \
    register el_index q6 __asm__("q6") = EL_INDEX(vaddq_n)(q5, (el_index_t)step);                                      \
    register el_index q7 __asm__("q7") = EL_INDEX(vaddq_n)(q6, (el_index_t)step)
#define EL_EACH_NUMBER(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* to[k * stride + i * step] = from[i * pitch + k] for k < count, i < n <= EL_MOST_TURNED: vectors are scattered, those
 * of all i for a vector of k, with a loop that leaves out lanes beyond the end. */
EL_INLINE void el_turn(int32_t n, int32_t count, const el_t *from, int32_t pitch, int32_t stride, int32_t step,
                       el_t *to)
{
    EL_TURN_PLACES;
    switch (n) {
        EL_EACH_NUMBER(EL_TURN_CASE)
    default:
        break;
    }
}

/* Channels of `n` neighbouring positions turned into packed rows that are `height` high, from each of `times` pieces
 * that are `piece` elements apart, one behind the other. */
__attribute__((noinline)) static void el_turn_pieces(int32_t n, int32_t count, const el_t *from, int32_t pitch,
                                                     int32_t height, el_row_t *rows, int32_t times, int32_t piece)
{
    enum { step = EL_WORD };
    const int32_t stride = height * EL_WORD;
    el_t *to = (el_t *)(void *)rows;
    const el_t *p;
    el_t *t;
    EL_TURN_PLACES;
    switch (n) {
        EL_EACH_NUMBER(EL_TURN_CASE_TIMES)
    default:
        break;
    }
}

/* The same of `n` times nothing but zeros. */
EL_INLINE void el_turn_zeros(int32_t n, int32_t count, int32_t stride, int32_t step, el_t *to)
{
    const el_index at = EL_INDEX(vmulq_n)(EL_INDEX(vidupq_n)(0, 1), (el_index_t)stride);
    for (; n > 0; n--, to += step) {
        el_t *p = to;
        __asm__ volatile(EL_TAIL_BEGIN " lr, %[count], 2f\n"
                                       "1:\n" EL_VSTR " %q[zero], [%[p], %q[at], uxtw #" EL_LOG "]\n"
                                       "add %[p], %[hop]\n"
                                       "letp lr, 1b\n"
                                       "2:\n"
                         : [p] "+&r"(p)
                         : [count] "r"(count), [zero] "w"(el_set(0.0f, EL_ALL)), [at] "w"(at),
                           [hop] "r"(EL_LANES * stride * (int32_t)sizeof(el_t))
                         : "lr", "memory");
    }
}

enum { EL_LONG = 8 * EL_LANES };

/* The same where count is at least EL_LONG, any n: row by row, four vectors by one load. */
EL_INLINE void el_turn_long(int32_t n, int32_t count, const el_t *from, int32_t pitch, int32_t stride, int32_t step,
                            el_t *to)
{
    const int32_t hop = EL_LANES * stride;
    const el_index at0 = EL_INDEX(vmulq_n)(EL_INDEX(vidupq_n)(0, 1), (el_index_t)stride);
    const el_index at1 = EL_INDEX(vaddq_n)(at0, (el_index_t)hop);
    const el_index at2 = EL_INDEX(vaddq_n)(at1, (el_index_t)hop);
    const el_index at3 = EL_INDEX(vaddq_n)(at2, (el_index_t)hop);
    const int32_t left = count & (4 * EL_LANES - 1);
    const int32_t moved = count + (-left & (EL_LANES - 1)); /* in whole vectors */
    el_t *p;
#define EL_SPREAD(q, at) EL_VSTR " " q ", [%[p], %q[" at "], uxtw #" EL_LOG "]\n"
    __asm__ volatile(
        "1:\n"
        "mov %[p], %[to]\n"
        "wls lr, %[fours], 3f\n"
        "2:\n"
        "vldm %[from]!, {d0-d7}\n" EL_SPREAD("q0", "at0") EL_SPREAD("q1", "at1") EL_SPREAD("q2", "at2")
            EL_SPREAD("q3", "at3") "add %[p], %[p], %[hop], lsl #2\n"
                                   "le lr, 2b\n"
                                   "3:\n" EL_TAIL_BEGIN " lr, %[left], 5f\n"
                                   "4:\n" EL_VLDR
                                   " q0, [%[from]], #16\n" EL_SPREAD("q0", "at0") "add %[p], %[hop]\n"
                                                                                  "letp lr, 4b\n"
                                                                                  "5:\n"
                                                                                  "add %[from], %[next]\n"
                                                                                  "add %[to], %[step]\n"
                                                                                  "subs %[n], #1\n"
                                                                                  "bne 1b\n"
        : [n] "+&r"(n), [to] "+&r"(to), [from] "+&r"(from), [p] "=&r"(p)
        : [fours] "r"((uint32_t)count / (4 * EL_LANES)), [left] "r"(left), [hop] "r"(hop * (int32_t)sizeof(el_t)),
          [next] "r"((pitch - moved) * (int32_t)sizeof(el_t)), [step] "r"(step * (int32_t)sizeof(el_t)), [at0] "w"(at0),
          [at1] "w"(at1), [at2] "w"(at2), [at3] "w"(at3)
        : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
}

/* Whether it can be used: its loads are of words. */
EL_INLINE int el_is_long(int32_t count, const el_t *from, int32_t pitch)
{
    return count >= EL_LONG && el_words_aligned(from, from, pitch);
}

/* Channels of `n` neighbouring positions turned into packed rows that are `height` high: `pitch` elements apart. */
__attribute__((noinline)) static void el_turn_into(int32_t n, int32_t count, const el_t *from, int32_t pitch,
                                                   int32_t height, el_row_t *to)
{
    if (el_is_long(count, from, pitch)) {
        el_turn_long(n, count, from, pitch, height * EL_WORD, EL_WORD, (el_t *)(void *)to);
    } else {
        el_turn(n, count, from, pitch, height * EL_WORD, EL_WORD, (el_t *)(void *)to);
    }
}

__attribute__((noinline)) static void el_zeros_into(int32_t n, int32_t count, int32_t height, el_row_t *to)
{
    el_turn_zeros(n, count, height * EL_WORD, EL_WORD, (el_t *)(void *)to);
}

enum { EL_HALF_WIDTH = 4 }; /* columns that are turned at once */

/* to[k * stride + j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < a vector's lanes */
__attribute__((noinline)) static void el_turn_columns(int32_t cols, int32_t count, const el_t *from, int32_t pitch,
                                                      int32_t stride, el_t *to)
{
    if (cols == EL_LANES && el_is_long(count, from, pitch)) {
        el_turn_long(cols, count, from, pitch, stride, 1, to);
        return;
    }
    for (int32_t j = 0; j < EL_LANES; j += EL_HALF_WIDTH, from += EL_HALF_WIDTH * pitch) {
        const int32_t some = el_max(el_min(cols - j, EL_HALF_WIDTH), 0);
        el_turn(some, count, from, pitch, stride, 1, to + j);
        el_turn_zeros(EL_HALF_WIDTH - some, count, stride, 1, to + j + some);
    }
}

/* to[k][j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < width */
EL_INLINE void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    el_turn_columns(cols, count, from, pitch, width, to);
}

/* to[k][j] = from[k * pitch + j] for k < count, j < cols; zeros for cols <= j < width */
static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    if (cols >= width) {
        el_gather(count, from, pitch, to);
    } else {
        const el_n n = el_some(cols);
        for (; count > 0; count--, from += pitch, to += EL_LANES) {
            el_store(to, el_load(from, n), EL_ALL);
        }
    }
}

/* to0[k], to1[k], ... = the vectors of row k, whole ones, for k < count: loaded by one instruction. */
#define EL_SPLIT(LAST, STORES)                                                                                         \
    __asm__ volatile("wls lr, %[n], 2f\n"                                                                              \
                     "1:\n"                                                                                            \
                     "vldm %[from], {d0-" LAST "}\n"                                                                   \
                     "add %[from], %[hop]\n" STORES "le lr, 1b\n"                                                      \
                     "2:\n"                                                                                            \
                     : [from] "+&r"(p), [to0] "+&r"(to0), [to1] "+&r"(to1), [to2] "+&r"(to2), [to3] "+&r"(to3)         \
                     : [n] "r"(count), [hop] "r"(pitch * (int32_t)sizeof(el_t))                                        \
                     : "q0", "q1", "q2", "q3", "lr", "memory")
#define EL_SPLIT_TO(i) EL_VSTR " q" #i ", [%[to" #i "]], #16\n"

/* to[j / width * panel + k * width + j % width] = from[k * pitch + j] for k < count, j < cols; zeros in the last panel
 * for j beyond that */
static void el_pack_panels(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to,
                           int32_t panel)
{
    const int aligned = el_words_aligned(from, from, pitch);
    for (int32_t j = 0, n; j < cols; j += n * EL_LANES, to += n * panel) {
        const int32_t left = (cols - j) / EL_LANES;
        const el_t *p = from + j;
        el_t *to0 = to;
        el_t *to1 = to + panel;
        el_t *to2 = to + 2 * panel;
        el_t *to3 = to + 3 * panel;
        n = left > 4 && left < 7 ? 3 : el_min(left, 4);
        if (n < 2 || !aligned) {
            n = 1;
            el_pack_cols(width, el_min(cols - j, width), count, p, pitch, to);
        } else if (n == 2) {
            EL_SPLIT("d3", EL_SPLIT_TO(0) EL_SPLIT_TO(1));
        } else if (n == 3) {
            EL_SPLIT("d5", EL_SPLIT_TO(0) EL_SPLIT_TO(1) EL_SPLIT_TO(2));
        } else {
            EL_SPLIT("d7", EL_SPLIT_TO(0) EL_SPLIT_TO(1) EL_SPLIT_TO(2) EL_SPLIT_TO(3));
        }
    }
}

/* The term that word number w of packed rows of each height belongs to. */
static const uint8_t el_term_of_word[EL_TILE_HEIGHT][EL_LANES * EL_TILE_HEIGHT] = {
    {EL_TERMS_OF(1)}, {EL_TERMS_OF(2)}, {EL_TERMS_OF(3)}, {EL_TERMS_OF(4)}, {EL_TERMS_OF(5)},
};

#define EL_PICKS_1 EL_PICK_FIRST(0)
#define EL_PICKS_2 EL_PICK_FIRST(0) EL_PICK_SECOND(1)
#define EL_PICKS_3 EL_PICKS_2 EL_PICK_FIRST(2)
#define EL_PICKS_4 EL_PICKS_2 EL_PICK_FIRST(2) EL_PICK_SECOND(3)
#define EL_PICKS_5 EL_PICKS_4 EL_PICK_FIRST(4)
#define EL_PLACE_OF(v)                                                                                                 \
    const el_index at##v =                                                                                             \
        EL_INDEX(vmlaq_n)(EL_INDEX(vidupq_n)(EL_LANES * (v), 1), EL_INDEX(vldrbq)(terms + EL_LANES * (v)), step);
#define EL_PICK_SOME(v)                                                                                                \
    el_pick_some(from, at##v, to + EL_LANES * (v), height * (int32_t)((uint32_t)count % EL_LANES) - EL_LANES * (v));
#define EL_PLACES_1 [at0] "w"(at0)
#define EL_PLACES_2 EL_PLACES_1, [at1] "w"(at1)
#define EL_PLACES_3 EL_PLACES_2, [at2] "w"(at2)
#define EL_PLACES_4 EL_PLACES_3, [at3] "w"(at3)
#define EL_PLACES_5 EL_PLACES_4, [at4] "w"(at4)

/* As many terms at a time as a vector has lanes, which are as many vectors as there are rows. */
#define EL_COPY_ROWS(h)                                                                                                \
    case h: {                                                                                                          \
        EL_EACH_##h(EL_PLACE_OF);                                                                                      \
        __asm__ volatile("wls lr, %[n], 2f\n"                                                                          \
                         "1:\n" EL_PICKS_##h EL_PICKED(h) "add %[from], %[hop]\n"                                      \
                                                          "le lr, 1b\n"                                                \
                                                          "2:\n"                                                       \
                         : [to] "+&r"(to), [from] "+&r"(from)                                                          \
                         : [n] "r"((uint32_t)count / EL_LANES), [hop] "r"(EL_LANES * pitch * (int32_t)sizeof(el_t)),   \
                           [first] "w"(first), [second] "w"(second), EL_PLACES_##h                                     \
                         : "q7", "lr", "memory");                                                                      \
        if ((uint32_t)count % EL_LANES != 0) {                                                                         \
            EL_EACH_##h(EL_PICK_SOME)                                                                                  \
        }                                                                                                              \
        break;                                                                                                         \
    }

/* to[k][i] = from[k * pitch + i] for k < count, i < height */
static void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    if (EL_LANES * pitch > EL_MOST_INDEX) {
        for (; count > 0; count--, from += pitch, to += height) {
            el_pick_some(from, EL_INDEX(vidupq_n)(0, 1), to, height);
        }
        return;
    }
    const uint8_t *terms = el_term_of_word[height - 1];
    const el_index_t step = (el_index_t)(pitch - height);
    const el_index first = EL_INDEX(vidupq_n)(0, EL_WORD); /* where words go that are not as long as elements */
    const el_index second = EL_INDEX(vaddq_n)(first, EL_LANES * EL_WORD);
    (void)rows;
    switch (height) {
        EL_EACH_HEIGHT(EL_COPY_ROWS)
    default:
        break;
    }
}

#endif
