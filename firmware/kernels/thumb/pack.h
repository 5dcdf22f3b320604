/* Packing with loads and stores of many FPU registers, which carry bits and compute nothing. */
#ifndef EL_THUMB_PACK_H
#define EL_THUMB_PACK_H

#include "registers.h"

#define EL_OWN_PACK_ROW
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS

/* to[k] = from[k], or zeros */
static inline void el_pack_row(int32_t count, const float *from, float *to)
{
    if (from == 0) {
        for (; count > 0; count--) {
            *to++ = 0.0f;
        }
        return;
    }
    for (; count >= 16; count -= 16) {
        __asm__ volatile("vldmia %[p]!, {s0-s15}\n\tvstmia %[t]!, {s0-s15}\n\t"
                         : [p] "+r"(from), [t] "+r"(to)
                         :
                         : EL_LOW_REGISTERS);
    }
    for (; count >= 4; count -= 4) {
        __asm__ volatile("vldmia %[p]!, {s0-s3}\n\tvstmia %[t]!, {s0-s3}\n\t"
                         : [p] "+r"(from), [t] "+r"(to)
                         :
                         : EL_LOW_REGISTERS);
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

/* Four words to places a row of a panel apart, from the one with number `at` on. */
#define EL_SPREAD(at)                                                                                                  \
    "ldmia %[p]!, {r4, r5, r6, r8}\n\tstr r4, [%[t], #(" at "*4)*%c[width]]\n\tstr r5, [%[t], #(" at                   \
    "*4+4)*%c[width]]\n\tstr r6, [%[t], #(" at "*4+8)*%c[width]]\n\tstr r8, [%[t], #(" at "*4+12)*%c[width]]\n\t"
#define EL_SPREAD_LOOP(each, words)                                                                                    \
    for (; k >= (each); k -= (each), t += (each)*EL_TILE_WIDTH) {                                                      \
        __asm__ volatile(words                                                                                         \
                         : [p] "+r"(p)                                                                                 \
                         : [t] "r"(t), [width] "i"(EL_TILE_WIDTH)                                                      \
                         : "r4", "r5", "r6", "r8", "memory");                                                          \
    }

/* In the core's registers: a Cortex-M4 stores them in half the time that the FPU's take. */
static inline void el_pack_turned(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch,
                                  float *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        const float *p = from;
        float *t = to + j;
        int32_t k = count;
        for (; j >= cols && k > 0; k--, t += EL_TILE_WIDTH) {
            *t = 0.0f;
        }
        EL_SPREAD_LOOP(16, EL_SPREAD("0") EL_SPREAD("4") EL_SPREAD("8") EL_SPREAD("12"))
        EL_SPREAD_LOOP(4, EL_SPREAD("0"))
        for (; k > 0; k--, t += EL_TILE_WIDTH) {
            *t = *p++;
        }
    }
}

#define EL_PICK(registers) "vldmia %[p], {" registers "}\n\tadd %[p], %[p], %[l]\n\t"
#define EL_PICK_LOOP(each, rows)                                                                                       \
    for (; count >= (each); count -= (each)) {                                                                         \
        __asm__ volatile(rows : [p] "+r"(from), [t] "+r"(to) : [l] "r"(4 * pitch) : EL_LOW_REGISTERS);                 \
    }

/* The first `cols` of each of `count` rows, closed up to `width` of them: whole rows of 4, 5 and 8 in assembler. */
static inline void el_pack_cols(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch, float *to)
{
    if (cols == width && width == 4) {
        EL_PICK_LOOP(4, EL_PICK("s0-s3") EL_PICK("s4-s7") EL_PICK("s8-s11")
                            EL_PICK("s12-s15") "vstmia %[t]!, {s0-s15}\n\t")
    } else if (cols == width && width == 5) {
        EL_PICK_LOOP(3, EL_PICK("s0-s4") EL_PICK("s5-s9") EL_PICK("s10-s14") "vstmia %[t]!, {s0-s14}\n\t")
    } else if (cols == width && width == 8) {
        EL_PICK_LOOP(2, EL_PICK("s0-s7") EL_PICK("s8-s15") "vstmia %[t]!, {s0-s15}\n\t")
    }
    for (; count > 0; count--, from += pitch, to += width) {
        for (int32_t j = 0; j < width; j++) {
            to[j] = j < cols ? from[j] : 0.0f;
        }
    }
}

static inline void el_pack_rows(int32_t height, int32_t rows, int32_t count, const float *from, int32_t pitch,
                                float *to)
{
    el_pack_cols(height, rows, count, from, pitch, to);
}

#endif
