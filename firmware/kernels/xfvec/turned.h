/* Columns out of rows, a whole panel in one go. */
#ifndef EL_XFVEC_TURNED_H
#define EL_XFVEC_TURNED_H

/* to[k][j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < width */
static __attribute__((noinline)) void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from,
                                                     int32_t pitch, el_t *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        el_t *t = to + j;
        int32_t k = 0;
        if (j >= cols) {
            for (; k < count; k++, t += EL_COLS) {
                *t = 0;
            }
            continue;
        }
        for (; k + 4 <= count; k += 4, t += 4 * EL_COLS) {
            const el_t v0 = from[k];
            const el_t v1 = from[k + 1];
            const el_t v2 = from[k + 2];
            const el_t v3 = from[k + 3];
            t[0] = v0;
            t[EL_COLS] = v1;
            t[2 * EL_COLS] = v2;
            t[3 * EL_COLS] = v3;
        }
        for (; k < count; k++, t += EL_COLS) {
            *t = from[k];
        }
    }
}

#endif
