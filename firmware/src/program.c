/* All that a board does, whoever starts it: hardware up, weights in place, then commands until the host is done. */
#include "el/hal.h"
#include "el/rt.h"

void el_program(void)
{
    el_hal_init();
    el_run_init();
    if (el_model.extras != 0 && el_model.extras->boot != 0) {
        el_model.extras->boot();
    }
    el_serve();
}
