/* Groups of elements whose floats are eight registers: what is computed in floats whatever a format's elements are.
 *
 *   EL_WIDE          the group: m8 for floats, m4 for halves
 *   el_open(v, n)    floats of elements; el_close(f, n), the other way round, rounds once
 *   el_grow(f, v, n) f + v; el_grow_times(f, a, v, n) f + a * v, a an element
 *   EL_GROW          the multiply-add */
#ifndef EL_RVV_WIDE_H
#define EL_RVV_WIDE_H

typedef vfloat32m8_t el_floats;

#if EL_BITS == 32
#define EL_WIDE m8
#define EL_GROW "vfmacc"

EL_INLINE el_floats el_open(vfloat32m8_t v, size_t n)
{
    (void)n;
    return v;
}

EL_INLINE vfloat32m8_t el_close(el_floats f, size_t n)
{
    (void)n;
    return f;
}

EL_INLINE el_floats el_grow(el_floats f, vfloat32m8_t v, size_t n)
{
    return __riscv_vfadd_vv_f32m8(f, v, n);
}

EL_INLINE el_floats el_grow_times(el_floats f, float a, vfloat32m8_t v, size_t n)
{
    return __riscv_vfmacc_vf_f32m8(f, a, v, n);
}
#else
#define EL_WIDE m4
#define EL_GROW "vfwmacc"

EL_INLINE el_floats el_open(vfloat16m4_t v, size_t n)
{
    return __riscv_vfwcvt_f_f_v_f32m8(v, n);
}

EL_INLINE vfloat16m4_t el_close(el_floats f, size_t n)
{
    return __riscv_vfncvt_f_f_w_f16m4(f, n);
}

EL_INLINE el_floats el_grow(el_floats f, vfloat16m4_t v, size_t n)
{
    return __riscv_vfwadd_wv_f32m8(f, v, n);
}

EL_INLINE el_floats el_grow_times(el_floats f, el_f16 a, vfloat16m4_t v, size_t n)
{
    return __riscv_vfwmacc_vf_f32m8(f, a, v, n);
}
#endif

EL_INLINE el_floats el_nothing(size_t n)
{
    return __riscv_vfmv_v_f_f32m8(0.0f, n);
}

EL_INLINE el_floats el_read(const el_t *p, size_t n)
{
    return el_open(EL_VMEM(vle, EL_WIDE)(p, n), n);
}

EL_INLINE void el_write(el_t *p, el_floats f, size_t n)
{
    EL_VMEM(vse, EL_WIDE)(p, el_close(f, n), n);
}

#endif
