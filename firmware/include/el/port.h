/* What a user's own C file gives the runtime, so that the board takes samples itself. docs/SENSORS.md has an example.
 */
#ifndef EL_PORT_H
#define EL_PORT_H

#include <stdint.h>

/* One sample, as the sensor has it: `count` values, channels last (an IMU's window is x, y, z, x, y, z, ...). May wait
   for it. 1: it is there; 0: there is none now. */
int el_port_sample(float *to, uint32_t count);

/* What the sample just taken is, as far as the board knows: a button, a switch. 1: `label` is set; 0: nobody says. */
int el_port_label(uint32_t *label);

#endif
