/* Sums of int8 products to int8, four channels at a time: el_rescale and el_to_s8 of el/quant.h in vectors.
 *
 * VQRDMULH is the rounded product, saturating where no caller comes. VRSHL rounds ties up: of what is negative and will
 * be shifted one is taken off first. Shifts to the left come before the product, where there are any. */
#ifndef EL_MVE_RESCALE_S8_H
#define EL_MVE_RESCALE_S8_H

#include "../product_s8/layer.h"

/* Whether one of so many shifts is to the left. */
EL_INLINE int el_any_left_s8(int32_t count, const int32_t *shift)
{
    int32_t most = 0;
    __asm__ volatile("dlstp.32 lr, %[count]\n"
                     "1: vldrw.32 q0, [%[shift]], #16\n"
                     "vmaxv.s32 %[most], q0\n"
                     "letp lr, 1b\n"
                     : [most] "+r"(most), [shift] "+r"(shift)
                     : [count] "r"(count)
                     : "lr", "q0", "memory");
    return most > 0;
}

#define EL_RIGHT                                                                                                       \
    "vqrdmulh.s32 q0, q0, q1\n"                                                                                        \
    "vand q1, q0, q2\n"                                                                                                \
    "vshr.s32 q1, q1, #31\n"                                                                                           \
    "vqadd.s32 q0, q0, q1\n"                                                                                           \
    "vrshl.s32 q0, q0, q2\n"
#define EL_LEFT                                                                                                        \
    "vmax.s32 q6, q2, q5\n"                                                                                            \
    "vmin.s32 q2, q2, q5\n"                                                                                            \
    "vshl.s32 q0, q0, q6\n"
#define EL_CHANNELS(left)                                                                                              \
    __asm__ volatile("vdup.32 q3, %[min]\n"                                                                            \
                     "vdup.32 q4, %[max]\n"                                                                            \
                     "vmov.i32 q5, #0\n"                                                                               \
                     "dlstp.32 lr, %[count]\n"                                                                         \
                     "1: vldrw.32 q0, [%[sums]], #16\n"                                                                \
                     "vldrw.32 q1, [%[multiplier]], #16\n"                                                             \
                     "vldrw.32 q2, [%[shift]], #16\n" left EL_RIGHT "vqadd.s32 q0, q0, %[zero]\n"                      \
                     "vmax.s32 q0, q0, q3\n"                                                                           \
                     "vmin.s32 q0, q0, q4\n"                                                                           \
                     "vstrb.32 q0, [%[y]], #4\n"                                                                       \
                     "letp lr, 1b\n"                                                                                   \
                     : [sums] "+r"(sums), [multiplier] "+r"(multiplier), [shift] "+r"(shift), [y] "+l"(y)              \
                     : [count] "r"(count), [zero] "r"(l->y_zero), [min] "r"(l->min), [max] "r"(l->max)                 \
                     : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "memory")

/* `count` channels from `first` on, at least one. */
EL_INLINE void el_rescale_channels_s8(const el_layer_s8 *l, int32_t first, int32_t count, const int32_t *sums,
                                      int8_t *y)
{
    const int32_t *multiplier = l->multiplier + first;
    const int32_t *shift = l->shift + first;
    if (l->left) {
        EL_CHANNELS(EL_LEFT);
    } else {
        EL_CHANNELS("");
    }
}

#undef EL_CHANNELS
#undef EL_LEFT
#undef EL_RIGHT

#endif
