/* The image: hardware up, initial weights in place, then commands until the host is done. */
#include "el/hal.h"
#include "el/rt.h"

int main(void)
{
    el_hal_init();
    el_run_init();
    if (el_model.extras != 0 && el_model.extras->boot != 0) {
        el_model.extras->boot();
    }
    el_serve();
    el_hal_exit(EL_EXIT_OK);
}
