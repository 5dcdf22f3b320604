/* Columns out of rows, a whole panel in one go. */
#ifndef EL_XFVEC_TURNED_H
#define EL_XFVEC_TURNED_H

/* to[k][j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < width */
EL_APART void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        el_f16 *t = to + j;
        int32_t k = 0;
        if (j >= cols) {
            for (; k < count; k++, t += EL_COLS) {
                *t = el_f16_from_bits(0);
            }
            continue;
        }
        for (; k + 8 <= count; k += 8, t += 8 * EL_COLS) {
            el_f16 v[8];
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                v[i] = from[k + i];
            }
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                t[i * EL_COLS] = v[i];
            }
        }
        for (; k < count; k++, t += EL_COLS) {
            *t = from[k];
        }
    }
}

#endif
