/* Names of types, intrinsics and instructions for elements of EL_BITS bits in groups of M registers. */
#define EL_TEXT_(x) #x
#define EL_TEXT(x) EL_TEXT_(x)
#define EL_JOIN_(a, b, c, d) a##b##c##d
#define EL_JOIN(a, b, c, d) EL_JOIN_(a, b, c, d)
#define EL_WIDTH_NAME EL_TEXT(EL_BITS)

#define EL_V(M) EL_JOIN(vfloat, EL_BITS, M, _t)
#define EL_VL(M, count) EL_JOIN(__riscv_vsetvl_e, EL_BITS, M, )((size_t)(count))
#define EL_VLMAX(M) ((int32_t)EL_JOIN(__riscv_vsetvlmax_e, EL_BITS, M, )())
#define EL_VOP_(op, bits, M) __riscv_##op##_f##bits##M
#define EL_VOP__(op, bits, M) EL_VOP_(op, bits, M)
#define EL_VOP(op, M) EL_VOP__(op, EL_BITS, M)
#define EL_VMEM_(op, bits, M) __riscv_##op##bits##_v_f##bits##M
#define EL_VMEM__(op, bits, M) EL_VMEM_(op, bits, M)
#define EL_VMEM(op, M) EL_VMEM__(op, EL_BITS, M)

/* What a vector holds of `count` elements, in groups of M: all there are, where they fit. */
#define EL_VL_ALL(M, count) EL_VL(M, (count) < EL_VLMAX(M) ? (count) : EL_VLMAX(M))
