/* Layers whose taps are sorted, see taps.h: one block of outputs after the other, whose weights are sorted once, and
 * some positions at a time. */
#ifndef EL_SHIFT_BLOCKS_H
#define EL_SHIFT_BLOCKS_H

#include "taps.h"

/* name(v, l, scratch) with all outputs of a layer, `l` being what it is given besides its view:
 *   CLEAR(words, patch)   makes a patch fit to hold fewer than TOGETHER positions
 *   POSITIONS(v, l, block, at, some, patch, sorted, o, y)
 *                         a block's outputs, the first being number o of a position, at `some` positions, at most
 *                         TOGETHER, whose runs begin at `at`; y is where the first goes
 * A macro: as a function that gets these two it wants more stack. Scratch: a patch, where the runs of TOGETHER
 * positions begin, sorted terms. */
#define EL_LAYER_IN_BLOCKS(name, operands, TOGETHER, CLEAR, POSITIONS)                                                 \
    static void name(const el_view *v, const operands *l, void *scratch)                                               \
    {                                                                                                                  \
        const int32_t words = el_view_terms(v) * EL_TERM_WORDS;                                                        \
        uint32_t *patch = scratch;                                                                                     \
        int32_t *at = (void *)(patch + words);                                                                         \
        uint16_t *sorted = (void *)(at + v->taps * TOGETHER);                                                          \
        CLEAR(words, patch)                                                                                            \
        const int32_t each = el_taps_outputs(v);                                                                       \
        const int32_t pitch = el_view_pitch(v);                                                                        \
        const int32_t positions = el_view_positions(v);                                                                \
        el_outputs block = {0, 0, 0};                                                                                  \
        for (int32_t done = 0; done < pitch; done += block.outputs) {                                                  \
            block = el_outputs_next(v, block, each);                                                                   \
            el_sort_outputs(v, l->w, l->bits, block, sorted);                                                          \
            el_place place = {0, 0, at};                                                                               \
            for (int32_t p = 0; p < positions; p += TOGETHER) {                                                        \
                /* of two positions, one may be left */                                                                \
                const int32_t some = positions - p < TOGETHER ? TOGETHER == 2 ? 1 : positions - p : TOGETHER;          \
                for (int32_t i = 0; i < some; i++, el_place_next(v, &place)) {                                         \
                    place.at = at + i * v->taps;                                                                       \
                    el_view_runs(v, &place);                                                                           \
                }                                                                                                      \
                POSITIONS(v, l, block, at, some, patch, sorted, done, l->y + p * pitch + done);                        \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
