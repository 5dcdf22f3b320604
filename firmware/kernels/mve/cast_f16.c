/* Between halves and floats on Helium, four at a time. */
#include "f16.h"

/* Loads q0 from x, stores it to y; what halves lie behind wants a low register. */
#define EL_FOURS(text)                                                                                                 \
    __asm__ volatile("wlstp.32 lr, %[count], 2f\n1: " text "letp lr, 1b\n2:\n"                                         \
                     : [x] "+l"(x), [y] "+l"(y)                                                                        \
                     : [count] "r"(count)                                                                              \
                     : "lr", "q0", "memory")

void el_narrow_fwd_f16__mve(int32_t count, const float *x, el_f16 *y)
{
    EL_FOURS("vldrw.32 q0, [%[x]], #16\n" EL_TO_EVEN(0, 0) "vstrh.32 q0, [%[y]], #8\n");
}

void el_widen_fwd_f16__mve(int32_t count, const el_f16 *x, float *y)
{
    EL_FOURS("vldrh.u32 q0, [%[x]], #8\n" EL_EVEN_OF(0, 0) "vstrw.32 q0, [%[y]], #16\n");
}
