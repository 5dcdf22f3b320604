/* Packing of halves as floats, see halves.h. Only what begins with whole words is packed in assembler. */
#ifndef EL_THUMB_PACK_F16_H
#define EL_THUMB_PACK_F16_H

#include "halves.h"

#define EL_OWN_PACK_ROW
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS

/* to[k] = from[k], or zeros */
static inline void el_pack_row(int32_t count, const el_f16 *from, float *to)
{
    if (from == 0) {
        el_clear_rows(1, count, to, 0);
    } else {
        el_widen(count, from, to);
    }
}

#define EL_APART_4(at, f0, f1, f2, f3)                                                                                 \
    "vstr " f0 ", [%[t], #(" at "*4)*%c[width]]\n\tvstr " f1 ", [%[t], #(" at "*4+4)*%c[width]]\n\tvstr " f2           \
    ", [%[t], #(" at "*4+8)*%c[width]]\n\tvstr " f3 ", [%[t], #(" at "*4+12)*%c[width]]\n\t"
#define EL_APART_LOOP(each, text)                                                                                      \
    for (; k >= (each); k -= (each), t += (each)*EL_TILE_WIDTH) {                                                      \
        __asm__ volatile(text : [p] "+r"(p) : [t] "r"(t), [width] "i"(EL_TILE_WIDTH) : EL_ALL_REGISTERS);              \
    }

static inline void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_f16 *from, int32_t pitch,
                                  float *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        const el_f16 *p = from;
        float *t = to + j;
        int32_t k = count;
        for (; j >= cols && k > 0; k--, t += EL_TILE_WIDTH) {
            *t = 0.0f;
        }
        for (; k > 0 && el_halfway(p); k--, t += EL_TILE_WIDTH) {
            *t = (float)*p++;
        }
        EL_APART_LOOP(16, "vldmia %[p]!, {s0-s7}\n\t" EL_WIDEN_16 EL_APART_4("0", "s16", "s17", "s18", "s19")
                              EL_APART_4("4", "s20", "s21", "s22", "s23") EL_APART_4("8", "s24", "s25", "s26", "s27")
                                  EL_APART_4("12", "s28", "s29", "s30", "s31"))
        EL_APART_LOOP(4, "vldmia %[p]!, {s0-s1}\n\t" EL_WIDEN_4 EL_APART_4("0", "s16", "s17", "s18", "s19"))
        for (; k > 0; k--, t += EL_TILE_WIDTH) {
            *t = (float)*p++;
        }
    }
}

#define EL_PICK(registers) "vldmia %[p], {" registers "}\n\tadd %[p], %[p], %[l]\n\t"
#define EL_PICK_LOOP(each, rows)                                                                                       \
    for (; count >= (each); count -= (each)) {                                                                         \
        __asm__ volatile(rows EL_WIDEN_16 "vstmia %[t]!, {s16-s31}\n\t"                                                \
                         : [p] "+r"(from), [t] "+r"(to)                                                                \
                         : [l] "r"(2 * pitch)                                                                          \
                         : EL_ALL_REGISTERS);                                                                          \
    }

/* The first `cols` of each of `count` rows, closed up to `width` of them: whole rows of 4 and 8 in assembler. */
static inline void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_f16 *from, int32_t pitch,
                                float *to)
{
    const int words = cols == width && pitch % 2 == 0 && !el_halfway(from);
    if (words && width == 4) {
        EL_PICK_LOOP(4, EL_PICK("s0-s1") EL_PICK("s2-s3") EL_PICK("s4-s5") EL_PICK("s6-s7"))
    } else if (words && width == 8) {
        EL_PICK_LOOP(2, EL_PICK("s0-s3") EL_PICK("s4-s7"))
    }
    for (; count > 0; count--, from += pitch, to += width) {
        for (int32_t j = 0; j < width; j++) {
            to[j] = j < cols ? (float)from[j] : 0.0f;
        }
    }
}

static inline void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_f16 *from, int32_t pitch,
                                float *to)
{
    el_pack_cols(height, rows, count, from, pitch, to);
}

#endif
