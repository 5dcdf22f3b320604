/* Leaves an emulator with an exit code, whatever the carrier. */
#include "el/hal.h"
#include "semihost.h"

_Noreturn void el_hal_exit(int code)
{
    const uint32_t block[2] = {EL_APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        (void)el_semihost(EL_SYS_EXIT_EXTENDED, block);
    }
}
