/* SiFive FE310-G002, after its manual v1p5. */
#ifndef EL_SIFIVE_CHIP_H
#define EL_SIFIVE_CHIP_H

#include <stdint.h>

#include "bare/silicon.h"
#include "board.h"

/* The PLL's clock from the crystal, or where one of them does not come up what the chip came out of reset with. */
void el_clock_up(void);

/* Whether the core's clock fits the clock of 32,768 Hz that counts mtime; an emulator's counters don't. */
int el_has_cycles(void);

#endif
