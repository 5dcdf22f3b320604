/* Several harts of one core complex, woken by software interrupts that nobody takes: a pending one ends wfi.
 *
 * Hart 0 runs the program. The others sleep until it has a part for them, and the last that is done wakes it again, so
 * that nobody spins. The CLINT has a word for each hart that raises its software interrupt. */
#include "el/harts.h"

#include "board.h"

enum { SOFTWARE = 1 << 3 }; /* in mip and mie */

_Noreturn void el_hart_serve(int32_t hart);

static volatile uint32_t *const wake = (volatile uint32_t *)EL_CLINT_BASE;

static struct {
    el_part *part;
    el_optim *o;
    int32_t working;
} job;

static void sleep_until_woken(int32_t hart)
{
    uint32_t pending;
    for (;;) {
        __asm volatile("csrr %0, mip" : "=r"(pending));
        if ((pending & SOFTWARE) != 0) {
            break;
        }
        __asm volatile("wfi");
    }
    wake[hart] = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void el_harts_run(el_part *part, int32_t count, el_optim *o)
{
    job.part = part;
    job.o = o;
    job.working = count - 1;
    __asm volatile("csrs mie, %0" ::"r"(SOFTWARE));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (int32_t hart = 1; hart < count; hart++) {
        wake[hart] = 1;
    }
    part(0, o);
    if (count > 1) {
        sleep_until_woken(0);
    }
}

/* Where all harts but the first live; harts.S calls it with a stack of their own. */
_Noreturn void el_hart_serve(int32_t hart)
{
    __asm volatile("csrs mie, %0" ::"r"(SOFTWARE));
    for (;;) {
        sleep_until_woken(hart);
        job.part(hart, job.o);
        if (__atomic_sub_fetch(&job.working, 1, __ATOMIC_SEQ_CST) == 0) {
            wake[0] = 1;
        }
    }
}
