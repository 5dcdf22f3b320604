/* Cortex-M7: both caches, cleared first as reset leaves them undefined, and a guard around memory that is not there:
   the core may read ahead anywhere in 0x60000000 to 0xDFFFFFFF, and an interface without a memory behind it never
   answers (ST AN4838). Nothing but the core writes memory here, so the data cache needs no more care. */
#include "stm32/chip.h"

static volatile uint32_t *const control = (volatile uint32_t *)0xE000ED14u;        /* CCR */
static volatile uint32_t *const cache_size = (volatile uint32_t *)0xE000ED80u;     /* CCSIDR */
static volatile uint32_t *const cache_select = (volatile uint32_t *)0xE000ED84u;   /* CSSELR */
static volatile uint32_t *const forget_code = (volatile uint32_t *)0xE000EF50u;    /* ICIALLU */
static volatile uint32_t *const forget_address = (volatile uint32_t *)0xE000EF5Cu; /* DCIMVAC */
static volatile uint32_t *const forget_line = (volatile uint32_t *)0xE000EF60u;    /* DCISW */
static volatile uint32_t *const protection = (volatile uint32_t *)0xE000ED94u;     /* MPU: CTRL, RNR, RBAR, RASR */

enum { DATA_CACHE = 1 << 16, CODE_CACHE = 1 << 17 };
enum { SETS_4_SHIFT = 5, WAYS_SHIFT = 30 }; /* of a set and way in DCISW: lines of 32 bytes, 4 ways */
enum { NO_EXECUTE = 1 << 28, ALL_BUT_0_1_2_7 = 0x87 << 8, OF_4_GB = 31 << 1, REGION_ON = 1 };
enum { REST_BY_DEFAULT = 1 << 2, PROTECTION_ON = 1 };

static void barrier(void)
{
    __asm volatile("dsb\n\tisb" ::: "memory");
}

static void forget_data(void)
{
    *cache_select = 0;
    barrier();
    const uint32_t size = *cache_size;
    const uint32_t sets = (size >> 13 & 0x7FFFu) + 1;
    const uint32_t ways = (size >> 3 & 0x3FFu) + 1;
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < ways; way++) {
            *forget_line = way << WAYS_SHIFT | set << SETS_4_SHIFT;
        }
    }
    barrier();
}

void el_cache_forget(uint32_t address, uint32_t count)
{
    barrier();
    for (uint32_t line = address & ~31u; line < address + count; line += 32) {
        *forget_address = line;
    }
    barrier();
}

void el_caches_on(void)
{
    protection[1] = 0;
    protection[2] = 0;
    protection[3] = NO_EXECUTE | ALL_BUT_0_1_2_7 | OF_4_GB | REGION_ON;
    protection[0] = REST_BY_DEFAULT | PROTECTION_ON;
    barrier();
    if ((*control & CODE_CACHE) == 0) {
        *forget_code = 0;
        barrier();
        *control |= CODE_CACHE;
    }
    if ((*control & DATA_CACHE) == 0) {
        forget_data();
        *control |= DATA_CACHE;
    }
    barrier();
}
