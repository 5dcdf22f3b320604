/* Cycles of a RISC-V core. Some come out of reset with their counters stopped, to save power. */
#include "hosted/cycles.h"

uint32_t el_cycles(void)
{
    uint32_t low;
    __asm volatile("csrci 0x320, 1"); /* mcountinhibit: bit 0 stops mcycle */
    __asm volatile("csrr %0, 0xB00" : "=r"(low));
    return low;
}
