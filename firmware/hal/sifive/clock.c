/* Clock and counter of the FE310: a crystal of 16 MHz, by 2, times 80, by 2: 320 MHz. */
#include "el/hal.h"
#include "riscv/counter.h"
#include "sifive/chip.h"

typedef struct {
    volatile uint32_t ring;    /* hfrosccfg */
    volatile uint32_t crystal; /* hfxosccfg */
    volatile uint32_t pll;     /* pllcfg */
    volatile uint32_t divider; /* plloutdiv */
} prci;

enum { RING_ON = 1 << 30, CRYSTAL_ON = 1 << 30 };                  /* ring, crystal */
enum { R_2 = 1, F_80 = 39 << 4, Q_2 = 1 << 10, SELECT = 1 << 16 }; /* pll */
enum { FROM_CRYSTAL = 1 << 17 };                                   /* pll */
enum { BY_1 = 1 << 8 };                                            /* divider */
enum { FLASH_DIVIDER = 3 };  /* of the flash's clock: 320 MHz / 2 / 4 = 40 MHz, it may have 50 */
enum { SETTLING = 20000 };   /* turns before the lock means anything: over 100 us at any clock before it */
enum { RING_HZ = 14000000 }; /* about what the boot code leaves: 72 MHz / 5, trimmed to some percent */
enum { SLOW_HZ = 32768, SLOW_TICKS = 32 };

#define READY 0x80000000u /* ring and crystal, and the PLL's lock */

static int fast;
static int counts_cycles;

static prci *clock(void)
{
    return (prci *)EL_PRCI_BASE;
}

static uint32_t cycle(void)
{
    uint32_t low;
    __asm volatile("csrr %0, mcycle" : "=r"(low));
    return low;
}

/* Cycles that go on a tick of the slow clock, over a millisecond; 0 if that stands still. Whatever comes between two
   reads makes it less. */
static uint32_t cycles_of_a_slow_tick(void)
{
    const volatile uint32_t *const now = el_register(EL_MTIME);
    const uint32_t first = *now;
    const uint32_t start = cycle();
    uint32_t passed = 0;
    uint32_t cycles = 0;
    for (uint32_t turn = 0; turn < 1000000u && passed < SLOW_TICKS; turn++) {
        cycles = cycle() - start;
        passed = *now - first;
    }
    return passed < SLOW_TICKS ? 0 : cycles / passed;
}

void el_clock_up(void)
{
    clock()->ring |=
        RING_ON; /* the loader may have gone over to the PLL, which can be changed only while nobody uses it */
    (void)el_becomes(&clock()->ring, READY, READY);
    clock()->pll &= ~(uint32_t)SELECT;
    clock()->crystal |= CRYSTAL_ON;
    if (el_becomes(&clock()->crystal, READY, READY)) {
        *el_register(EL_FLASH_SPI_BASE) = FLASH_DIVIDER;
        clock()->pll = FROM_CRYSTAL | Q_2 | F_80 | R_2;
        clock()->divider = BY_1;
        for (volatile uint32_t turn = 0; turn < SETTLING; turn++) {
        }
        if (el_becomes(&clock()->pll, READY, READY)) {
            clock()->pll |= SELECT;
            fast = 1;
        }
    }
    const uint32_t expected = el_core_hz() / SLOW_HZ;
    const uint32_t seen = cycles_of_a_slow_tick();
    counts_cycles = seen > expected / 2 && seen < expected * 2;
}

uint32_t el_core_hz(void)
{
    return fast ? EL_CORE_HZ : RING_HZ;
}

int el_has_cycles(void)
{
    return counts_cycles;
}

EL_COUNTER(el_hal_ticks, mcycle)

uint32_t el_hal_counter_hz(void)
{
    return counts_cycles ? el_core_hz() : 0;
}
