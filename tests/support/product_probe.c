/* The products of kernels/product with a tile in plain C against the reference,
 * every array in a block of its own, so that a sanitizer sees a step beyond
 * one. A line of input is a window and the scratch of the three steps in bytes.
 */
#include "el/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef float el_t;
typedef float el_row_t;
#ifdef EL_SUMS_BYTES
typedef float el_map_t;
#endif

#define EL_TILE_HEIGHT 5
#define EL_TILE_WIDTH 4

static int32_t el_tile_height(int32_t left)
{
    return left % 5 == 0 ? 5 : 4;
}

#ifdef EL_ROWS_APART
#define EL_OWN_PANELS
#define EL_COLUMNS_IN_PLACE
#endif

static void tile(int32_t rows, int32_t cols, int32_t count, const float *a, int32_t lda, int32_t step, const float *b,
                 int32_t ldb, float t[][EL_TILE_WIDTH])
{
    for (int32_t k = 0; k < count; k++) {
        for (int32_t i = 0; i < rows; i++) {
            for (int32_t j = 0; j < cols; j++) {
                t[i][j] += a[i * lda + k * step] * b[k * ldb + j];
            }
        }
    }
}

static void el_tile_store(int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a, const float *b,
                          const float *from, int32_t pitch, float *y, int32_t ldy)
{
    float t[EL_TILE_HEIGHT][EL_TILE_WIDTH] = {{0}};
    for (int32_t i = 0; from != NULL && i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            t[i][j] = from[i * pitch + j];
        }
    }
    tile(rows, cols, count, a, height == 0 ? pitch : 1, height == 0 ? 1 : height, b, EL_TILE_WIDTH, t);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            y[i * ldy + j] = t[i][j];
        }
    }
}

static void el_add(int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a, const float *b,
                   int32_t ldb, float scale, float *y, int32_t ldy)
{
    float t[EL_TILE_HEIGHT][EL_TILE_WIDTH] = {{0}};
    tile(rows, cols, count, a, 1, height, b, ldb, t);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            y[i * ldy + j] += scale * t[i][j];
        }
    }
}

static void el_tile_add(int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a, const float *b,
                        float scale, float *y, int32_t ldy)
{
    el_add(height, rows, cols, count, a, b, EL_TILE_WIDTH, scale, y, ldy);
}

#ifdef EL_ROWS_APART
/* Any number of rows at once, `lda` apart. */
static void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                            int32_t lda, const float *b, const float *from, int32_t pitch, float *y, int32_t ldy)
{
    (void)height;
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        for (int32_t i = 0; i < rows; i++) {
            float t[1][EL_TILE_WIDTH] = {{0}};
            const int32_t n = cols - j < width ? cols - j : width;
            for (int32_t c = 0; from != NULL && c < n; c++) {
                t[0][c] = from[i * pitch + j + c];
            }
            tile(1, n, count, a + i * lda, 0, 1, b, EL_TILE_WIDTH, t);
            for (int32_t c = 0; c < n; c++) {
                y[i * ldy + j + c] = t[0][c];
            }
        }
    }
}

static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        el_tile_add(height, rows, cols - j < width ? cols - j : width, count, a, b, scale, y + j, ldy);
    }
}

static void el_panels_add_apart(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                                const float *a, const float *b, int32_t ldb, float scale, float *y, int32_t ldy)
{
    for (int32_t j = 0; j < cols; j += width) {
        el_add(height, rows, width, count, a, b + j, ldb, scale, y + j, ldy);
    }
}
#endif

#include "kernels/product/product.h"

static float *numbers(int32_t count)
{
    float *p = malloc((size_t)count * sizeof *p);
    for (int32_t i = 0; p != NULL && i < count; i++) {
        p[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
    }
    return p;
}

static int differ(const float *a, const float *b, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (!(fabsf(a[i] - b[i]) < 1e-3f)) {
            return 1;
        }
    }
    return 0;
}

int main(void)
{
    int32_t v[19];
    int wrong = 0;
    while (fread(v, sizeof v, 1, stdin) == 1) {
        const el_window s = {v[0], v[1], v[2],  v[3],  v[4],  v[5],  v[6],  v[7],
                             v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]};
        const int32_t nx = s.in_h * s.in_w * s.in_c;
        const int32_t ny = s.out_h * s.out_w * s.out_c;
        const int32_t nw = s.out_c * s.k_h * s.k_w * (s.in_c / s.groups);
        float *x = numbers(nx);
        float *y = numbers(ny);
        float *w = numbers(nw);
        float *bias = numbers(s.out_c);
        float *got[3] = {numbers(ny), numbers(nx), calloc((size_t)nw, sizeof(float))};
        float *want[3] = {numbers(ny), numbers(nx), calloc((size_t)nw, sizeof(float))};
        void *scratch[3] = {malloc((size_t)v[16]), malloc((size_t)v[17]), malloc((size_t)v[18])};
        el_product_forward(&s, x, w, bias, got[0], scratch[0]);
        el_product_backward_x(&s, y, w, got[1], scratch[1]);
        el_product_backward_w(&s, 0.5f, x, y, got[2], scratch[2]);
        el_conv2d_fwd_f32__ref(&s, x, w, bias, want[0]);
        el_conv2d_bwd_x_f32__ref(&s, y, w, want[1]);
        el_conv2d_bwd_w_f32__ref(&s, 0.5f, x, y, want[2]);
        wrong += differ(got[0], want[0], ny) + differ(got[1], want[1], nx) + differ(got[2], want[2], nw);
        for (int i = 0; i < 3; i++) {
            free(got[i]);
            free(want[i]);
            free(scratch[i]);
        }
        free(x);
        free(y);
        free(w);
        free(bias);
    }
    return wrong;
}
