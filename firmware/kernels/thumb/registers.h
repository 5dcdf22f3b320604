/* What the tiles in assembler share. */
#ifndef EL_THUMB_REGISTERS_H
#define EL_THUMB_REGISTERS_H

#include "../inline.h"

#define EL_LOW_REGISTERS                                                                                               \
    "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "memory"
#define EL_ALL_REGISTERS                                                                                               \
    EL_LOW_REGISTERS, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28",       \
        "s29", "s30", "s31", "cc"

static const float el_zeros[20];

/* The first 16 of a tile, zero */
static inline void el_tile_clear(float *tile)
{
    __asm__ volatile("vldmia %[z], {s0-s15}\n\tvstmia %[t], {s0-s15}\n\t"
                     :
                     : [z] "r"(el_zeros), [t] "r"(tile)
                     : EL_LOW_REGISTERS);
}

/* `cols` zeros in each of some rows */
static inline void el_clear_rows(int32_t rows, int32_t cols, float *y, int32_t ld)
{
    for (; rows > 0; rows--, y += ld) {
        float *p = y;
        int32_t left = cols;
        for (; left >= 8; left -= 8) {
            __asm__ volatile("vldmia %[z], {s0-s7}\n\tvstmia %[p]!, {s0-s7}\n\t"
                             : [p] "+r"(p)
                             : [z] "r"(el_zeros)
                             : EL_LOW_REGISTERS);
        }
        for (; left > 0; left--) {
            *p++ = 0.0f;
        }
    }
}

/* rows x cols of a tile, from one place to another. */
static inline void el_tile_copy(int32_t rows, int32_t cols, const float *from, int32_t pitch, float *to, int32_t ld)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            to[i * ld + j] = from[i * pitch + j];
        }
    }
}

#endif
