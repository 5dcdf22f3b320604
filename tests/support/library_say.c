/* Where the driver's words go on a bare board: through the HAL that starts it. */
#include <stdint.h>

#include "el/hal.h"

void say(const void *bytes, uint32_t count);

void say(const void *bytes, uint32_t count)
{
    static int ready;
    if (!ready) {
        el_hal_init();
        ready = 1;
    }
    el_hal_write(bytes, count);
}
