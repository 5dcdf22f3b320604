/* Depthwise convolution of int8 maps on Helium, 16 channels at a time, kernels of up to 4 x 4 taps.
 *
 * For each position along a line, scratch holds a word of each of the 16 channels: its bytes in the lines that the
 * kernel reaches, interleaved as they are stored. Four words of a channel, one vector apart, are a window; they are
 * loaded together and multiplied with the 16 weights, zeros where the kernel is smaller. Padding is x_zero; what x_zero
 * adds is taken off once, in what is added to sums. */
#include "rescale_s8.h"

#include "../product_s8/direction.h"

enum {
    EL_CHANNELS = 16,
    EL_TAPS = 4, /* along a side at most */
    EL_WORDS = 4 * EL_CHANNELS,
    EL_OUTPUTS = 16, /* of a line at a time, at most */
};

/* Scratch: what is added to sums, the padding of a position, weights [channel][tap along][tap across], words
 * [position][channel][line], sums [output][channel]. */
typedef struct {
    int32_t start[EL_CHANNELS];
    int8_t pad[EL_CHANNELS];
    int8_t weights[EL_CHANNELS][EL_TAPS * EL_TAPS];
    int32_t words[];
} el_turned;

EL_INLINE void el_fill_vectors(void *to, int32_t byte, int32_t count)
{
    __asm__ volatile("vdup.8 q0, %[byte]\n"
                     "dls lr, %[count]\n"
                     "1: vstrb.8 q0, [%[to]], #16\n"
                     "le lr, 1b\n"
                     : [to] "+r"(to)
                     : [count] "r"(count), [byte] "r"(byte)
                     : "lr", "q0", "memory");
}

/* One tap's weights of `count` channels, each to its channel's vector. */
EL_INLINE void el_spread(const int8_t *w, int32_t count, int8_t *to)
{
    uint32_t lane = 0;
    __asm__ volatile("vidup.u8 q1, %[lane], #1\n"
                     "vshl.i8 q1, q1, #4\n"
                     "vctp.8 %[count]\n"
                     "vpstt\n"
                     "vldrbt.8 q0, [%[w]]\n"
                     "vstrbt.8 q0, [%[to], q1]\n"
                     : [lane] "+Te"(lane)
                     : [w] "r"(w), [count] "r"(count), [to] "r"(to)
                     : "q0", "q1", "memory");
}

EL_INLINE int32_t el_sum_of_vector(const int8_t *w)
{
    int32_t sum;
    __asm__ volatile("vldrb.8 q0, [%[w]]\nvaddv.s8 %[sum], q0\n" : [sum] "=Te"(sum) : [w] "r"(w) : "q0", "memory");
    return sum;
}

EL_APART void el_weights(const el_directions *d, const el_layer_s8 *l, int32_t first, int32_t count, el_turned *t)
{
    el_fill_vectors(t->weights, 0, EL_CHANNELS);
    for (int32_t i = 0; i < d->across.k; i++) {
        for (int32_t j = 0; j < d->along.k; j++) {
            el_spread(l->w + i * d->across.w_step + j * d->along.w_step + first, count,
                      &t->weights[0][j * EL_TAPS + i]);
        }
    }
    for (int32_t c = 0; c < count; c++) {
        t->start[c] = el_start_s8(l, first + c) - l->x_zero * el_sum_of_vector(t->weights[c]);
    }
}

/* Words of `count` positions out of three or four lines. */
EL_APART void el_turn(int32_t four, int32_t channels, int32_t count, const int8_t *const *line, const int32_t *step,
                      int32_t *words)
{
    const int8_t *a = line[0];
    const int8_t *b = line[1];
    const int8_t *c = line[2];
    const int8_t *d = line[3];
#define EL_TURN(predicate, fourth)                                                                                     \
    __asm__ volatile("vctp.8 %[channels]\n"                                                                            \
                     "dls lr, %[count]\n"                                                                              \
                     "1: " predicate "\n"                                                                              \
                     "vldrbt.8 q0, [%[a]]\n"                                                                           \
                     "vldrbt.8 q1, [%[b]]\n"                                                                           \
                     "vldrbt.8 q2, [%[c]]\n" fourth "add %[a], %[a], %[sa]\n"                                          \
                     "add %[b], %[b], %[sb]\n"                                                                         \
                     "add %[c], %[c], %[sc]\n"                                                                         \
                     "vst40.8 {q0, q1, q2, q3}, [%[words]]\n"                                                          \
                     "vst41.8 {q0, q1, q2, q3}, [%[words]]\n"                                                          \
                     "vst42.8 {q0, q1, q2, q3}, [%[words]]\n"                                                          \
                     "vst43.8 {q0, q1, q2, q3}, [%[words]]!\n"                                                         \
                     "le lr, 1b\n"                                                                                     \
                     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [words] "+r"(words)                         \
                     : [channels] "r"(channels), [count] "r"(count), [sa] "r"(step[0]), [sb] "r"(step[1]),             \
                       [sc] "r"(step[2]), [sd] "m"(step[3])                                                            \
                     : "lr", "r12", "q0", "q1", "q2", "q3", "memory")
    if (four) {
        EL_TURN("vpstttt", "vldrbt.8 q3, [%[d]]\nldr r12, %[sd]\nadd %[d], %[d], r12\n");
    } else {
        EL_TURN("vpsttt", "");
    }
#undef EL_TURN
}

/* Sums of `count` outputs, 4 channels: windows are `step` bytes apart. */
EL_INLINE void el_windows(const int32_t *words, int32_t step, int32_t count, const int8_t *weights, int32_t *sums)
{
    int32_t a, b, c, d;
    uint32_t at = 0;
#define EL_WINDOWS(before, next)                                                                                       \
    __asm__ volatile(                                                                                                  \
        "vidup.u32 q3, %[at], #1\n"                                                                                    \
        "vshl.i32 q3, q3, #6\n"                                                                                        \
        "vadd.i32 q3, q3, %[words]\n"                                                                                  \
        "vldrb.8 q4, [%[weights]]\n"                                                                                   \
        "vldrb.8 q5, [%[weights], #16]\n"                                                                              \
        "vldrb.8 q6, [%[weights], #32]\n"                                                                              \
        "vldrb.8 q7, [%[weights], #48]\n"                                                                              \
        "dls lr, %[count]\n"                                                                                           \
        "1: " before "vldrw.u32 q0, [q3" next "\n"                                                                     \
        "vldrw.u32 q1, [q3, #4]\n"                                                                                     \
        "vldrw.u32 q2, [q3, #8]\n"                                                                                     \
        "vmladav.s8 %[a], q0, q4\n"                                                                                    \
        "vldrw.u32 q0, [q3, #12]\n"                                                                                    \
        "vmladav.s8 %[b], q1, q5\n"                                                                                    \
        "vmladav.s8 %[c], q2, q6\n"                                                                                    \
        "vmladav.s8 %[d], q0, q7\n"                                                                                    \
        "strd %[c], %[d], [%[sums], #8]\n"                                                                             \
        "strd %[a], %[b], [%[sums]], #64\n"                                                                            \
        "le lr, 1b\n"                                                                                                  \
        : [sums] "+r"(sums), [at] "+Te"(at), [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d)                \
        : [words] "r"((const char *)words - step), [count] "r"(count), [weights] "r"(weights), [step] "r"(step)        \
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "memory")
    if (step == EL_WORDS) {
        EL_WINDOWS("", ", #64]!");
    } else if (step == 2 * EL_WORDS) {
        EL_WINDOWS("", ", #128]!");
    } else {
        EL_WINDOWS("vadd.i32 q3, q3, %[step]\n", "]");
    }
#undef EL_WINDOWS
}

EL_APART void el_sums(int32_t channels, int32_t step, int32_t count, const el_turned *t, int32_t *sums)
{
    for (int32_t c = 0; c < channels; c += 4) {
        el_windows(t->words + c, step, count, t->weights[c], sums + c);
    }
}

/* `count` outputs of the line whose kernel begins at line `at` of the map, from output `o` on. */
static void el_outputs(const el_directions *d, const el_layer_s8 *l, int32_t channels, const int8_t *x, int32_t at,
                       int32_t o, int32_t count, int8_t *y, el_turned *t)
{
    const el_direction *along = &d->along;
    const int32_t step = along->stride;
    const int32_t position = o * step - along->pad; /* of the first word */
    const int32_t width = (count - 1) * step + along->k;
    const int32_t before = el_min(el_max(-position, 0), width);
    const int32_t inside = el_max(el_min(along->in - position, width) - before, 0);
    const int32_t after = width + EL_TAPS - along->k - before - inside;
    int32_t *sums = t->words + (width + EL_TAPS - along->k) * EL_CHANNELS;
    const int8_t *line[EL_TAPS];
    int32_t hop[EL_TAPS];
    for (int32_t i = 0; i < EL_TAPS; i++) {
        const int there = i < d->across.k && at + i >= 0 && at + i < d->across.in;
        line[i] = there ? x + (at + i) * d->across.x_step + (position + before) * along->x_step : t->pad;
        hop[i] = there ? along->x_step : 0;
    }
    if (before > 0) {
        el_fill_vectors(t->words, l->x_zero, 4 * before);
    }
    if (inside > 0) {
        el_turn(d->across.k > 3, channels, inside, line, hop, t->words + before * EL_CHANNELS);
    }
    if (after > 0) {
        el_fill_vectors(t->words + (before + inside) * EL_CHANNELS, l->x_zero, 4 * after);
    }
    el_sums(channels, step * EL_WORDS, count, t, sums);
    el_rescale_channels_s8(l, count, EL_CHANNELS, 0, channels, sums, along->y_step, y + o * along->y_step);
}

void el_depthwise_conv2d_fwd_s8__mve(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                                     const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                                     const int32_t *shift, int8_t *y, void *scratch)
{
    const el_layer_s8 whole = {s->k_h * s->k_w, s->out_c, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};
    const el_directions d = el_directions_of(s);
    const int32_t pieces = (d.along.out + EL_OUTPUTS - 1) / EL_OUTPUTS;
    const int32_t piece = (d.along.out + pieces - 1) / pieces;
    el_turned *t = scratch;
    el_layer_s8 l = whole;
    l.small = el_way_s8_of(&whole, s->out_c);
    l.b = t->start;
    el_fill_vectors(t->pad, x_zero, 1);
    for (int32_t c = 0; c < s->in_c; c += EL_CHANNELS) {
        const int32_t channels = el_min(EL_CHANNELS, s->in_c - c);
        el_weights(&d, &whole, c, channels, t);
        for (int32_t line = 0; line < d.across.out; line++) {
            int8_t *to = y + line * d.across.y_step + c;
            for (int32_t o = 0; o < d.along.out; o += piece) {
                el_outputs(&d, &l, channels, x + c, line * d.across.stride - d.across.pad, o,
                           el_min(piece, d.along.out - o), to, t);
            }
        }
        l.multiplier += EL_CHANNELS;
        l.shift += EL_CHANNELS;
    }
}
