/* Clocks of STM32L4: HSI16 times 10, by 2: 80 MHz. It is trimmed to 1 %, and not every board has a crystal. */
#include "stm32/chip.h"

typedef struct {
    volatile uint32_t control;
    volatile uint32_t trim;
    volatile uint32_t config;
    volatile uint32_t pll;
} rcc;

enum { HSION = 1 << 8, HSIRDY = 1 << 10, PLLON = 1 << 24, PLLRDY = 1 << 25 }; /* control */
enum { FROM_HSI = 2, N_10 = 10 << 8, R_ON = 1 << 24 };                        /* pll; dividers of 1 and 2 are zeros */
enum { SW_HSI = 1, SW_PLL = 3, SWS = 3 << 2 };                                /* config */
enum { HSI_HZ = 16000000 };

static rcc *clock(void)
{
    return (rcc *)EL_RCC_BASE;
}

static int runs_on(uint32_t source)
{
    clock()->config = source;
    return el_becomes(&clock()->config, SWS, source << 2);
}

static int flash_keeps_up(void)
{
    volatile uint32_t *const access = el_register(EL_FLASH_BASE);
    *access = EL_FLASH_ACCESS;
    return el_becomes(access, 7, EL_FLASH_ACCESS & 7);
}

void el_clock_up(void)
{
    clock()->control |= HSION;
    if (!el_becomes(&clock()->control, HSIRDY, HSIRDY) || !runs_on(SW_HSI)) {
        return;
    }
    clock()->control &= ~(uint32_t)PLLON; /* a bootloader may have left it running, and then it can't be changed */
    (void)el_becomes(&clock()->control, PLLRDY, 0);
    clock()->pll = R_ON | N_10 | FROM_HSI;
    clock()->control |= PLLON;
    if (el_becomes(&clock()->control, PLLRDY, PLLRDY) && flash_keeps_up() && !runs_on(SW_PLL)) {
        (void)runs_on(SW_HSI);
    }
}

/* At reset it is the 4 MHz MSI. */
uint32_t el_core_hz(void)
{
    static const uint32_t hz[4] = {4000000, HSI_HZ, 0, EL_CORE_HZ};
    return hz[(clock()->config & SWS) >> 2];
}

uint32_t el_uart_hz(void)
{
    return el_core_hz();
}
