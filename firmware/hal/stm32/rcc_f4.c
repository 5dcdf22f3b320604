/* Clocks of STM32F4 and F7, which differ in numbers only. HSE, or the 16 MHz HSI where it does not start, divided to
   EL_PLL_IN_MHZ, times EL_PLL_N, by 2. The buses of slow peripherals get a quarter and a half of it. */
#include "stm32/rcc.h"

typedef struct {
    volatile uint32_t control;
    volatile uint32_t pll;
    volatile uint32_t config;
} rcc;

enum { HSIRDY = 1 << 1 };                                                                  /* control */
enum { FROM_HSE = 1 << 22, Q_9 = 9 << 24, R_2 = 2 << 28 };                                 /* pll */
enum { SW_PLL = 2, SWS = 3 << 2, SWS_PLL = 2 << 2, PPRE1_4 = 5 << 10, PPRE2_2 = 4 << 13 }; /* config */
enum { PWREN = 1 << 28 };                                                                  /* RCC_APB1ENR */
enum { OVERDRIVE = 1 << 16, OVERDRIVE_SWITCH = 1 << 17 }; /* in PWR_CR to ask, in PWR_CSR when done */
enum { HSI_MHZ = 16 };

static rcc *clock(void)
{
    return (rcc *)EL_RCC_BASE;
}

static int power_gives(uint32_t what)
{
    *el_register(EL_PWR_BASE) |= what;
    return el_becomes(el_register(EL_PWR_BASE + 4), what, what);
}

/* Frequencies above 168 MHz (F446) and 180 MHz (F767) need more voltage. */
static int is_overdriven(void)
{
    return !EL_OVERDRIVE || (power_gives(OVERDRIVE) && power_gives(OVERDRIVE_SWITCH));
}

static int flash_keeps_up(void)
{
    volatile uint32_t *const access = el_register(EL_FLASH_BASE);
    *access = EL_FLASH_ACCESS;
    return el_becomes(access, 0xF, EL_FLASH_ACCESS & 0xF);
}

void el_clock_up(void)
{
    uint32_t divider = HSI_MHZ / EL_PLL_IN_MHZ;
    uint32_t source = 0;

    rcc_goes_back_to_hsi(&clock()->control, &clock()->config, HSIRDY, SWS);
    *el_register(EL_RCC_BASE + 0x40) |= PWREN;
    if (rcc_starts_hse(&clock()->control)) {
        divider = EL_HSE_MHZ / EL_PLL_IN_MHZ;
        source = FROM_HSE;
    }
    clock()->pll = R_2 | Q_9 | source | EL_PLL_N << 6 | divider; /* bits 16 and 17 are zero: the VCO's clock by 2 */
    if (!rcc_locks_pll(&clock()->control) || !is_overdriven() || !flash_keeps_up()) {
        return;
    }
    clock()->config = PPRE2_2 | PPRE1_4 | SW_PLL;
    if (!el_becomes(&clock()->config, SWS, SWS_PLL)) {
        clock()->config = 0;
    }
}

static int is_up(void)
{
    return (clock()->config & SWS) == SWS_PLL;
}

uint32_t el_core_hz(void)
{
    return is_up() ? EL_CORE_HZ : HSI_MHZ * 1000000u;
}

uint32_t el_uart_hz(void)
{
    return is_up() ? EL_UART_HZ : HSI_MHZ * 1000000u;
}
