/* The tile of products for scalar RISC-V: up to 5 x 4 sums in registers. */
#ifndef EL_RVF_TILE_H
#define EL_RVF_TILE_H

#include <stdint.h>

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 5
#define EL_TILE_WIDTH 4

/* Fives and fours make up any number above eleven. */
static inline int32_t el_tile_height(int32_t left)
{
    return left % 5 == 0 || left < 4 ? 5 : 4;
}

static inline __attribute__((always_inline)) void el_tile_sum(int height, int32_t count, const float *a, const float *b,
                                                              float (*t)[4])
{
    for (; count > 0; count--, a += height, b += 4) {
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < 4; j++) {
                t[i][j] += a[i] * b[j];
            }
        }
    }
}

static void el_tile_run(int32_t height, int32_t count, const float *a, const float *b, float (*t)[4])
{
    if (height == 5) {
        el_tile_sum(5, count, a, b, t);
    } else {
        el_tile_sum(4, count, a, b, t);
    }
}

static void el_tile_store(int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a, const float *b,
                          const float *from, int32_t pitch, float *y, int32_t ldy)
{
    float t[5][4] = {{0}};
    for (int32_t i = 0; from != 0 && i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            t[i][j] = from[i * pitch + j];
        }
    }
    el_tile_run(height, count, a, b, t);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            y[i * ldy + j] = t[i][j];
        }
    }
}

static void el_tile_add(int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a, const float *b,
                        float scale, float *y, int32_t ldy)
{
    float t[5][4] = {{0}};
    el_tile_run(height, count, a, b, t);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            y[i * ldy + j] += scale * t[i][j];
        }
    }
}

#endif
