/* Sums of int8 products to int8, four or eight channels at a time: el_rescale and el_to_s8 of el/quant.h in vectors.
 *
 * VQRDMULH is the rounded product, saturating where no caller comes. VRSHL rounds ties up: of what is negative and will
 * be shifted one is taken off first, unless all that is negative ends at the lower bound. Shifts to the left come
 * before the product, where there are any. */
#ifndef EL_MVE_RESCALE_S8_H
#define EL_MVE_RESCALE_S8_H

#include "../product_s8/layer.h"

/* Four channels at a time; the same with shifts to the left; eight, with bounds that are int8's own, if all shifts are
 * to the right; eight if none is to the left and y_zero is the lower bound. */
typedef enum { EL_FOURS_S8, EL_FOURS_LEFT_S8, EL_EIGHTS_S8, EL_EIGHTS_ABOVE_S8 } el_way_s8;

EL_INLINE int32_t el_most_s8(int32_t count, const int32_t *shift)
{
    int32_t most = INT32_MIN;
    __asm__ volatile("dlstp.32 lr, %[count]\n"
                     "1: vldrw.32 q0, [%[shift]], #16\n"
                     "vmaxv.s32 %[most], q0\n"
                     "letp lr, 1b\n"
                     : [most] "+r"(most), [shift] "+r"(shift)
                     : [count] "r"(count)
                     : "lr", "q0", "memory");
    return most;
}

EL_INLINE el_way_s8 el_way_s8_of(const el_layer_s8 *l, int32_t channels)
{
    const int32_t most = el_most_s8(channels, l->shift);
    if (most > 0) {
        return EL_FOURS_LEFT_S8;
    }
    if (!el_whole_s8(l)) {
        return EL_FOURS_S8;
    }
    return l->y_zero == INT8_MIN ? EL_EIGHTS_ABOVE_S8 : (most < 0 ? EL_EIGHTS_S8 : EL_FOURS_S8);
}

#define EL_TIES(v, sign) "vshr.s32 " sign ", " v ", #31\nvqadd.s32 " v ", " v ", " sign "\n"
#define EL_LEFT                                                                                                        \
    "vmax.s32 q6, q2, q5\n"                                                                                            \
    "vmin.s32 q2, q2, q5\n"                                                                                            \
    "vshl.s32 q0, q0, q6\n"
#define EL_CHANNELS(left)                                                                                              \
    __asm__ volatile(                                                                                                  \
        "vdup.32 q3, %[min]\n"                                                                                         \
        "vdup.32 q4, %[max]\n"                                                                                         \
        "vmov.i32 q5, #0\n"                                                                                            \
        "dlstp.32 lr, %[count]\n"                                                                                      \
        "1: vldrw.32 q0, [%[sums]], #16\n"                                                                             \
        "vldrw.32 q1, [%[start]], #16\n"                                                                               \
        "vldrw.32 q2, [%[shift]], #16\n"                                                                               \
        "vadd.i32 q0, q0, q1\n"                                                                                        \
        "vldrw.32 q1, [%[multiplier]], #16\n" left "vqrdmulh.s32 q0, q0, q1\n"                                         \
        "vand q1, q0, q2\n"                                                                                            \
        "vshr.s32 q1, q1, #31\n"                                                                                       \
        "vqadd.s32 q0, q0, q1\n"                                                                                       \
        "vrshl.s32 q0, q0, q2\n"                                                                                       \
        "vqadd.s32 q0, q0, %[zero]\n"                                                                                  \
        "vmax.s32 q0, q0, q3\n"                                                                                        \
        "vmin.s32 q0, q0, q4\n"                                                                                        \
        "vstrb.32 q0, [%[y]], #4\n"                                                                                    \
        "letp lr, 1b\n"                                                                                                \
        : [sums] "+r"(sums), [start] "+r"(start), [multiplier] "+r"(multiplier), [shift] "+r"(shift), [y] "+l"(y)      \
        : [count] "r"(count), [zero] "r"(l->y_zero), [min] "r"(l->min), [max] "r"(l->max)                              \
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "memory")

/* `count` channels of a position, at least one. */
EL_APART void el_rescale_fours_s8(const el_layer_s8 *l, int32_t first, int32_t count, const int32_t *sums, int8_t *y)
{
    const int32_t *start = l->b + first;
    const int32_t *multiplier = l->multiplier + first;
    const int32_t *shift = l->shift + first;
    if (l->small == EL_FOURS_LEFT_S8) {
        EL_CHANNELS(EL_LEFT);
    } else {
        EL_CHANNELS("");
    }
}

/* Eight channels, the even ones in one vector and the odd ones in another; what leaves 16 bits leaves 8, too. */
#define EL_EVEN_AND_ODD(even, odd, from, next)                                                                         \
    "vld20.32 {" even ", " odd "}, [%[" from "]]\nvld21.32 {" even ", " odd "}, [%[" from "]]" next "\n"
#define EL_EIGHT(once, each, ties, after)                                                                              \
    __asm__ volatile("1:\n" once EL_EVEN_AND_ODD("q4", "q5", "multiplier", "!")                                        \
                         EL_EVEN_AND_ODD("q6", "q7", "shift", "!") "dls lr, %[rows]\n"                                 \
                                                                   "2:\n" EL_EVEN_AND_ODD("q0", "q1", "sums", "") each \
                     "vadd.i32 q0, q0, q2\n"                                                                           \
                     "vadd.i32 q1, q1, q3\n"                                                                           \
                     "vqrdmulh.s32 q0, q0, q4\n"                                                                       \
                     "vqrdmulh.s32 q1, q1, q5\n" ties "vrshl.s32 q0, q0, q6\n"                                         \
                     "vrshl.s32 q1, q1, q7\n"                                                                          \
                     "vqmovnb.s32 q0, q0\n"                                                                            \
                     "vqmovnt.s32 q0, q1\n"                                                                            \
                     "add %[sums], %[sums], %[step]\n"                                                                 \
                     "vqadd.s16 q0, q0, %[zero]\n"                                                                     \
                     "vqmovnb.s16 q0, q0\n"                                                                            \
                     "vstrb.16 q0, [%[y]]\n"                                                                           \
                     "add %[y], %[y], %[pitch]\n"                                                                      \
                     "le lr, 2b\n"                                                                                     \
                     "ldr lr, %[skip]\n" after "add %[sums], %[sums], lr\n"                                            \
                     "ldr lr, %[back]\n"                                                                               \
                     "add %[y], %[y], lr\n"                                                                            \
                     "ldr lr, %[eights]\n"                                                                             \
                     "subs lr, lr, #1\n"                                                                               \
                     "str lr, %[eights]\n"                                                                             \
                     "bne 1b\n"                                                                                        \
                     : [sums] "+r"(sums), [start] "+r"(start), [multiplier] "+r"(multiplier), [shift] "+r"(shift),     \
                       [y] "+l"(y), [eights] "+m"(eights)                                                              \
                     : [rows] "r"(rows), [zero] "r"(l->y_zero), [step] "ri"(4 * step), [pitch] "r"(pitch),             \
                       [skip] "m"(skip), [back] "m"(back)                                                              \
                     : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")
#define EL_HELD EL_EVEN_AND_ODD("q2", "q3", "start", "!")
#define EL_AGAIN EL_EVEN_AND_ODD("q2", "q3", "start", "")

/* `count` channels from `first` on of `rows` positions: sums `step` apart, to outputs `pitch` apart. */
EL_INLINE void el_rescale_channels_s8(const el_layer_s8 *l, int32_t rows, int32_t step, int32_t first, int32_t count,
                                      const int32_t *sums, int32_t pitch, int8_t *y)
{
    const int32_t *start = l->b + first;
    const int32_t *multiplier = l->multiplier + first;
    const int32_t *shift = l->shift + first;
    int32_t eights = l->small >= EL_EIGHTS_S8 ? count >> 3 : 0;
    const int32_t done = 8 * eights;
    if (eights > 0) {
        const int32_t skip = 4 * (8 - rows * step);
        const int32_t back = 8 - rows * pitch;
        if (l->small == EL_EIGHTS_ABOVE_S8) {
            EL_EIGHT(EL_HELD, "", "", "");
        } else {
            EL_EIGHT("", EL_AGAIN, EL_TIES("q0", "q2") EL_TIES("q1", "q3"), "add %[start], %[start], #32\n");
        }
    }
    if (done < count) {
        for (int32_t i = 0; i < rows; i++, sums += step, y += pitch) {
            el_rescale_fours_s8(l, first + done, count - done, sums, y);
        }
    }
}

#undef EL_AGAIN
#undef EL_HELD
#undef EL_EIGHT
#undef EL_EVEN_AND_ODD
#undef EL_CHANNELS
#undef EL_LEFT
#undef EL_TIES

#endif
