/* The end of a program that may run on silicon: there the chip starts over. An emulator is left with an exit code. */
#include "arm/cycles.h"
#include "bare/semihost.h"
#include "bare/silicon.h"
#include "el/hal.h"

_Noreturn void el_hal_exit(int code)
{
    const uint32_t block[2] = {EL_APPLICATION_EXIT, (uint32_t)code};

    el_uart_drain();
    for (;;) {
        if (el_has_cycles()) {
            *(volatile uint32_t *)0xE000ED0Cu = 0x05FA0004u; /* AIRCR: SYSRESETREQ */
        } else {
            (void)el_semihost(EL_SYS_EXIT_EXTENDED, block);
        }
    }
}
