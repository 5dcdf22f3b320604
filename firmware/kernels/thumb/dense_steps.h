/* Fully connected layers of a number format, its type and an instruction set by dense.h or dense_f16.h. */
#ifndef EL_THUMB_DENSE_STEPS_H
#define EL_THUMB_DENSE_STEPS_H

#define EL_DENSE_STEPS(FMT, T, ISA)                                                                                    \
    void el_dense_fwd_##FMT##__##ISA(int32_t in, int32_t out, const T *x, const T *w, const T *b, T *y)                \
    {                                                                                                                  \
        el_dense_forward(in, out, x, w, b, y);                                                                         \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_bwd_x_##FMT##__##ISA(int32_t in, int32_t out, int32_t pitch, const T *dy, const T *w, T *dx)         \
    {                                                                                                                  \
        el_dense_backward_x(in, out, pitch, dy, w, dx);                                                                \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_bwd_w_##FMT##__##ISA(int32_t in, int32_t out, float scale, const T *x, const T *dy, T *dw)           \
    {                                                                                                                  \
        el_dense_backward_w(in, out, scale, x, dy, dw);                                                                \
    }

#endif
