/* Packing, eight numbers a turn. */
#ifndef EL_RVF_PACK_H
#define EL_RVF_PACK_H

#include "tile.h"

#define EL_OWN_PACK_ROW
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS

/* to[k * step] = from[k], or zeros; all eight are loaded before one is stored, so that the loads need not wait. */
EL_INLINE void el_pack_line(int step, int32_t count, const float *from, float *to)
{
    if (from == 0) {
        for (; count > 0; count--, to += step) {
            *to = 0.0f;
        }
        return;
    }
    for (; count >= 8; count -= 8, from += 8, to += 8 * step) {
        const float t0 = from[0];
        const float t1 = from[1];
        const float t2 = from[2];
        const float t3 = from[3];
        const float t4 = from[4];
        const float t5 = from[5];
        const float t6 = from[6];
        const float t7 = from[7];
        to[0] = t0;
        to[step] = t1;
        to[2 * step] = t2;
        to[3 * step] = t3;
        to[4 * step] = t4;
        to[5 * step] = t5;
        to[6 * step] = t6;
        to[7 * step] = t7;
    }
    for (; count > 0; count--, to += step) {
        *to = *from++;
    }
}

static inline void el_pack_row(int32_t count, const float *from, float *to)
{
    el_pack_line(1, count, from, to);
}

static inline void el_pack_turned(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch,
                                  float *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        el_pack_line(EL_TILE_WIDTH, count, j < cols ? from : 0, to + j);
    }
}

/* to[k][j] = from[k * pitch + j] for j < n, a constant; two k a turn */
EL_INLINE void el_pack_few(int n, int32_t count, const float *from, int32_t pitch, float *to)
{
    float t[6];
    for (; count > 1; count -= 2) {
        float u[6];
        for (int j = 0; j < n; j++) {
            t[j] = from[j];
        }
        from += pitch;
        for (int j = 0; j < n; j++) {
            u[j] = from[j];
        }
        from += pitch;
        for (int j = 0; j < n; j++) {
            to[j] = t[j];
            to[n + j] = u[j];
        }
        to += 2 * n;
    }
    for (int j = 0; j < n && count > 0; j++) {
        to[j] = from[j];
    }
}

static inline void el_pack_cols(int32_t width, int32_t cols, int32_t count, const float *from, int32_t pitch, float *to)
{
    if (cols == width && width == 4) {
        el_pack_few(4, count, from, pitch, to);
    } else if (cols == width && width == 5) {
        el_pack_few(5, count, from, pitch, to);
    } else if (cols == width && width == 6) {
        el_pack_few(6, count, from, pitch, to);
    } else {
        for (; count > 0; count--, from += pitch, to += width) {
            for (int32_t j = 0; j < width; j++) {
                to[j] = j < cols ? from[j] : 0.0f;
            }
        }
    }
}

static inline void el_pack_rows(int32_t height, int32_t rows, int32_t count, const float *from, int32_t pitch,
                                float *to)
{
    el_pack_cols(height, rows, count, from, pitch, to);
}

#endif
