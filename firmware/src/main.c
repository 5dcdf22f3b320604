/* The image: the program, and out. */
#include "el/hal.h"
#include "el/rt.h"

int main(void)
{
    el_program();
    el_hal_exit(EL_EXIT_OK);
}
