/* Packing with loads and stores of many FPU registers, which carry bits and compute nothing. */
#ifndef EL_THUMB_PACK_H
#define EL_THUMB_PACK_H

#include "tile.h"

#define EL_OWN_PACK_GATHER
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS

#define EL_LOW                                                                                                         \
    "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "memory"

/* One number to each of four places, `step` apart, from register s on */
#define EL_SPREAD_4(s0, s1, s2, s3, at, step)                                                                          \
    "vstr " s0 ", [%[t], #" at "*" step "]\n\tvstr " s1 ", [%[t], #(" at "+1)*" step "]\n\tvstr " s2 ", [%[t], #(" at  \
    "+2)*" step "]\n\tvstr " s3 ", [%[t], #(" at "+3)*" step "]\n\t"
#define EL_SPREAD_16(step)                                                                                             \
    "vldmia %[p]!, {s0-s15}\n\t" EL_SPREAD_4("s0", "s1", "s2", "s3", "0", step)                                        \
        EL_SPREAD_4("s4", "s5", "s6", "s7", "4", step) EL_SPREAD_4("s8", "s9", "s10", "s11", "8", step)                \
            EL_SPREAD_4("s12", "s13", "s14", "s15", "12", step)

/* to[k * height] = from[k], height 5 or 4 */
#define EL_DEFINE_SPREAD(H, bytes)                                                                                     \
    static inline void el_spread_##H(int32_t count, const float *p, float *t)                                          \
    {                                                                                                                  \
        for (; count >= 16; count -= 16, t += 16 * H) {                                                                \
            __asm__ volatile(EL_SPREAD_16(bytes) : [p] "+r"(p) : [t] "r"(t) : EL_LOW);                                 \
        }                                                                                                              \
        for (; count >= 4; count -= 4, t += 4 * H) {                                                                   \
            __asm__ volatile("vldmia %[p]!, {s0-s3}\n\t" EL_SPREAD_4("s0", "s1", "s2", "s3", "0", bytes)               \
                             : [p] "+r"(p)                                                                             \
                             : [t] "r"(t)                                                                              \
                             : EL_LOW);                                                                                \
        }                                                                                                              \
        for (; count > 0; count--, t += H) {                                                                           \
            *t = *p++;                                                                                                 \
        }                                                                                                              \
    }
EL_DEFINE_SPREAD(5, "20")
EL_DEFINE_SPREAD(4, "16")

static void el_pack_gather(int32_t height, int32_t count, const float *const *from, float *to)
{
    for (int32_t i = 0; i < height; i++) {
        if (from[i] == 0) {
            for (int32_t k = 0; k < count; k++) {
                to[i + k * height] = 0.0f;
            }
        } else if (height == 5) {
            el_spread_5(count, from[i], to + i);
        } else {
            el_spread_4(count, from[i], to + i);
        }
    }
}

static void el_pack_turned(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch, float *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        if (j < cols) {
            el_spread_4(count, from, to + j);
        } else {
            for (int32_t k = 0; k < count; k++) {
                to[j + k * width] = 0.0f;
            }
        }
    }
}

/* The beginning of each of `count` rows, closed up */
static void el_pack_some(int32_t height, int32_t rows, int32_t count, const float *from, int32_t pitch, float *to)
{
    for (; count > 0; count--, from += pitch, to += height) {
        for (int32_t i = 0; i < height; i++) {
            to[i] = i < rows ? from[i] : 0.0f;
        }
    }
}

#define EL_ROW(registers) "vldmia %[p], {" registers "}\n\tadd %[p], %[p], %[l]\n\t"

static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch, float *to)
{
    const int32_t bytes = 4 * pitch;
    if (cols == width) {
        for (; count >= 4; count -= 4) {
            __asm__ volatile(EL_ROW("s0-s3") EL_ROW("s4-s7") EL_ROW("s8-s11")
                                 EL_ROW("s12-s15") "vstmia %[t]!, {s0-s15}\n\t"
                             : [p] "+r"(from), [t] "+r"(to)
                             : [l] "r"(bytes)
                             : EL_LOW);
        }
    }
    el_pack_some(width, cols, count, from, pitch, to);
}

static void el_pack_rows(int32_t height, int32_t rows, int32_t count, const float *from, int32_t pitch, float *to)
{
    const int32_t bytes = 4 * pitch;
    if (height == 4) {
        el_pack_cols(4, rows, count, from, pitch, to);
        return;
    }
    if (rows == 5) {
        for (; count >= 3; count -= 3) {
            __asm__ volatile(EL_ROW("s0-s4") EL_ROW("s5-s9") EL_ROW("s10-s14") "vstmia %[t]!, {s0-s14}\n\t"
                             : [p] "+r"(from), [t] "+r"(to)
                             : [l] "r"(bytes)
                             : EL_LOW);
        }
    }
    el_pack_some(height, rows, count, from, pitch, to);
}

#endif
