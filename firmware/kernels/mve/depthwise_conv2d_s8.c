/* Depthwise convolution of int8 maps on Helium, a channel at a time, kernels of up to 4 x 4 taps.
 *
 * Scratch holds a word for each position of a line: the channel's bytes there and in the lines before it, the newest
 * on top. So four words side by side are a window, and one instruction multiplies it with the 16 weights, zeros where
 * the kernel is smaller. A line of sums is then rescaled four positions at a time. Padding is x_zero; what x_zero adds
 * is taken off once, in what sums start with. */
#include "rescale_s8.h"

#include "../product_s8/direction.h"

enum { LINES = 4 };

/* Lanes of a gather or a scatter, 0 to 3 times a step. */
#define EL_LANES                                                                                                       \
    "mov %[lane], #0\n"                                                                                                \
    "vidup.u32 q6, %[lane], #1\n"                                                                                      \
    "vmul.i32 q6, q6, %[step]\n"

/* The lines move down by one, and `count` bytes `step` apart come in on top. */
EL_INLINE void push(uint32_t *words, int32_t count, const int8_t *x, int32_t step)
{
    uint32_t lane;
    const int32_t hop = 4 * step;
    __asm__ volatile(EL_LANES "dlstp.32 lr, %[count]\n"
                              "1: vldrb.u32 q0, [%[x], q6]\n"
                              "vldrw.32 q1, [%[words]]\n"
                              "vshr.u32 q1, q1, #8\n"
                              "vsli.32 q1, q0, #24\n"
                              "add %[x], %[x], %[hop]\n"
                              "vstrw.32 q1, [%[words]], #16\n"
                              "letp lr, 1b\n"
                     : [words] "+r"(words), [x] "+r"(x), [lane] "=&Te"(lane)
                     : [count] "r"(count), [step] "r"(step), [hop] "r"(hop)
                     : "lr", "q0", "q1", "q6", "memory");
}

/* The same with `count` times one byte. */
EL_INLINE void push_same(uint32_t *words, int32_t count, int32_t byte)
{
    __asm__ volatile("vdup.32 q0, %[byte]\n"
                     "dlstp.32 lr, %[count]\n"
                     "1: vldrw.32 q1, [%[words]]\n"
                     "vshr.u32 q1, q1, #8\n"
                     "vsli.32 q1, q0, #24\n"
                     "vstrw.32 q1, [%[words]], #16\n"
                     "letp lr, 1b\n"
                     : [words] "+r"(words)
                     : [count] "r"(count), [byte] "r"(byte)
                     : "lr", "q0", "q1", "memory");
}

EL_INLINE void fill(uint32_t *words, int32_t count, int32_t byte)
{
    __asm__ volatile("vdup.8 q0, %[byte]\n"
                     "dlstp.32 lr, %[count]\n"
                     "1: vstrw.32 q0, [%[words]], #16\n"
                     "letp lr, 1b\n"
                     : [words] "+r"(words)
                     : [count] "r"(count), [byte] "r"(byte)
                     : "lr", "q0", "memory");
}

/* sums[i] = window i times the weights, windows `step` bytes apart, two at a time. */
EL_INLINE void windows(const uint32_t *words, int32_t count, int32_t step, const int8_t weights[16], int32_t *sums)
{
    const int8_t *x = (const int8_t *)words;
    int32_t a, b;
    if ((count & 1) != 0) {
        __asm__ volatile("vldrb.8 q2, [%[weights]]\n"
                         "vldrb.8 q0, [%[x]]\n"
                         "vmladav.s8 %[a], q0, q2\n"
                         : [a] "=Te"(a)
                         : [x] "r"(x), [weights] "r"(weights)
                         : "q0", "q2", "memory");
        *sums++ = a;
        x += step;
    }
    if (count < 2) {
        return;
    }
#define EL_PAIRS(next)                                                                                                 \
    __asm__ volatile("vldrb.8 q2, [%[weights]]\n"                                                                      \
                     "dls lr, %[pairs]\n"                                                                              \
                     "1: vldrb.8 q0, [%[x]]" next "vldrb.8 q1, [%[x]]" next "vmladav.s8 %[a], q0, q2\n"                \
                     "vmladav.s8 %[b], q1, q2\n"                                                                       \
                     "strd %[a], %[b], [%[sums]], #8\n"                                                                \
                     "le lr, 1b\n"                                                                                     \
                     : [x] "+r"(x), [sums] "+r"(sums), [a] "=&Te"(a), [b] "=&Te"(b)                                    \
                     : [pairs] "r"(count >> 1), [step] "r"(step), [weights] "r"(weights)                               \
                     : "lr", "q0", "q1", "q2", "memory")
    if (step == 4) {
        EL_PAIRS(", #4\n");
    } else if (step == 8) {
        EL_PAIRS(", #8\n");
    } else {
        EL_PAIRS("\nadd %[x], %[x], %[step]\n");
    }
#undef EL_PAIRS
}

/* `count` outputs of a channel, `step` bytes apart. See rescale_s8.h. */
EL_INLINE void store(const el_layer_s8 *l, int32_t channel, int32_t start, int32_t count, const int32_t *sums,
                     int8_t *y, int32_t step)
{
    const int32_t shift = l->shift[channel];
    const int32_t hop = 4 * step;
    const int32_t vectors[3] = {el_min(shift, 0), l->min, l->max};
    uint32_t lane;
    register int32_t left __asm__("lr") = count;
    __asm__ volatile(EL_LANES "ldrd %[lane], %[step], [%[vectors]]\n"
                              "vdup.32 q2, %[lane]\n"
                              "ldr %[lane], [%[vectors], #8]\n"
                              "vdup.32 q3, %[step]\n"
                              "vdup.32 q4, %[lane]\n"
                              "dlstp.32 lr, lr\n"
                              "1: vldrw.32 q0, [%[sums]], #16\n"
                              "vadd.i32 q0, q0, %[start]\n"
                              "vshl.s32 q0, %[up]\n"
                              "vqrdmulh.s32 q0, q0, %[multiplier]\n"
                              "vand q1, q0, q2\n"
                              "vshr.s32 q1, q1, #31\n"
                              "vqadd.s32 q0, q0, q1\n"
                              "vrshl.s32 q0, q0, q2\n"
                              "vqadd.s32 q0, q0, %[zero]\n"
                              "vmax.s32 q0, q0, q3\n"
                              "vmin.s32 q0, q0, q4\n"
                              "vstrb.32 q0, [%[y], q6]\n"
                              "add %[y], %[y], %[hop]\n"
                              "letp lr, 1b\n"
                     : [sums] "+r"(sums), [y] "+r"(y), [lane] "=&Te"(lane), [step] "+r"(step), [left] "+r"(left)
                     : [vectors] "r"(vectors), [hop] "r"(hop), [start] "r"(start), [up] "r"(el_max(shift, 0)),
                       [multiplier] "r"(l->multiplier[channel]), [zero] "r"(l->y_zero)
                     : "q0", "q1", "q2", "q3", "q4", "q6", "memory");
}

static void channel_of_map(const el_directions *d, const el_layer_s8 *l, int32_t channel, const int8_t *x, int8_t *y,
                           uint32_t *words)
{
    const el_direction *along = &d->along;
    const el_direction *across = &d->across;
    const int32_t width = el_width_s8(along);
    const int32_t before = el_min(along->pad, width);
    const int32_t inside = el_min(along->in, width - before);
    int32_t *sums = (int32_t *)(words + width + LINES);
    int8_t weights[LINES * LINES] = {0};
    int32_t sum = 0;
    for (int32_t i = 0; i < along->k; i++) {
        for (int32_t j = 0; j < across->k; j++) {
            const int8_t w = l->w[j * across->w_step + i * along->w_step + channel];
            weights[i * LINES + LINES - across->k + j] = w;
            sum += w;
        }
    }
    fill(words, width + LINES, l->x_zero);
    int32_t next = -across->pad; /* the first line that did not come in yet */
    for (int32_t o = 0; o < across->out; o++) {
        const int32_t end = o * across->stride - across->pad + across->k;
        for (; next < end; next++) {
            if (next >= 0 && next < across->in) {
                push(words + before, inside, x + next * across->x_step, along->x_step);
            } else {
                push_same(words + before, inside, l->x_zero);
            }
        }
        windows(words, along->out, 4 * along->stride, weights, sums);
        store(l, channel, el_start_s8(l, channel) - l->x_zero * sum, along->out, sums, y + o * across->y_step,
              along->y_step);
    }
}

void el_depthwise_conv2d_fwd_s8__mve(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                                     const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                                     const int32_t *shift, int8_t *y, void *scratch)
{
    const el_layer_s8 l = {s->k_h * s->k_w, s->out_c, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};
    const el_directions d = el_directions_of(s);
    for (int32_t channel = 0; channel < s->in_c; channel++) {
        channel_of_map(&d, &l, channel, x + channel, y + channel, scratch);
    }
}
