/* Clocks of STM32H7: HSE, or the 64 MHz HSI where it does not start, divided to 4 MHz, times 200, by 2: 400 MHz, which
   every revision allows. The buses get half of it, and slow peripherals a quarter. */
#include "stm32/rcc.h"

typedef struct {
    volatile uint32_t control;     /* 0x00 */
    volatile uint32_t trim[3];     /* 0x04 */
    volatile uint32_t config;      /* 0x10 */
    volatile uint32_t reserved0;   /* 0x14 */
    volatile uint32_t dividers[3]; /* 0x18: of the domains D1, D2 and D3 */
    volatile uint32_t reserved1;   /* 0x24 */
    volatile uint32_t pll_source;  /* 0x28 */
    volatile uint32_t pll_config;  /* 0x2C */
    volatile uint32_t pll1_dividers;
} rcc;

typedef struct {
    volatile uint32_t control1;
    volatile uint32_t status1;
    volatile uint32_t control2;
    volatile uint32_t control3;
    volatile uint32_t cpu;
    volatile uint32_t reserved;
    volatile uint32_t d3;
} pwr;

enum { HSIRDY = 1 << 2 };                                                                          /* control */
enum { SW_PLL1 = 3, SWS = 7 << 3, SWS_PLL1 = 3 << 3 };                                             /* config */
enum { HPRE_2 = 8, D1PPRE_2 = 4 << 4, D2PPRE1_2 = 4 << 4, D2PPRE2_2 = 4 << 8, D3PPRE_2 = 4 << 4 }; /* dividers */
enum { SOURCE_HSI = 0, SOURCE_HSE = 2 };                                                           /* pll_source */
enum { INPUT_4_TO_8_MHZ = 2 << 2, P_ON = 1 << 16 };                                                /* pll_config */
enum { N_200 = 199, P_2 = 1 << 9, Q_8 = 7 << 16, R_8 = 7 << 24 };                                  /* pll1_dividers */
enum { BYPASS = 1, LDOEN = 2, SCUEN = 4 };                                                         /* control3 */
enum { READY = 1 << 13, SCALE_1 = 3 << 14 };                                                       /* status1, d3 */
enum { HSI_MHZ = 64, PLL_IN_MHZ = 4 };

static rcc *clock(void)
{
    return (rcc *)EL_RCC_BASE;
}

static pwr *power(void)
{
    return (pwr *)EL_PWR_BASE;
}

/* SRAM1 to SRAM3 have no clock at reset; and on revision Y AXI SRAM may give wrong data unless several reads at a time
   are forbidden (errata ES0392). */
static void memories_on(void)
{
    *el_register(EL_RCC_BASE + 0xDC) |= 7u << 29;
    (void)*el_register(EL_RCC_BASE + 0xDC);
    if (*el_register(0x5C001000u) >> 16 < 0x2000u) {
        *el_register(0x51008108u) = 1;
    }
}

static int voltage_is_up(void)
{
    power()->control3 = (power()->control3 & ~(uint32_t)(BYPASS | SCUEN)) | LDOEN;
    if (!el_becomes(&power()->status1, READY, READY)) {
        return 0;
    }
    power()->d3 |= SCALE_1;
    return el_becomes(&power()->d3, READY, READY);
}

static int flash_keeps_up(void)
{
    volatile uint32_t *const access = el_register(EL_FLASH_BASE);
    *access = EL_FLASH_ACCESS;
    return el_becomes(access, 0x3F, EL_FLASH_ACCESS);
}

void el_clock_up(void)
{
    uint32_t source = SOURCE_HSI;
    uint32_t divider = HSI_MHZ / PLL_IN_MHZ;

    memories_on();
    rcc_goes_back_to_hsi(&clock()->control, &clock()->config, HSIRDY, SWS);
    if (!voltage_is_up()) {
        return;
    }
    if (rcc_starts_hse(&clock()->control)) {
        source = SOURCE_HSE;
        divider = EL_HSE_MHZ / PLL_IN_MHZ;
    }
    clock()->pll_source = divider << 4 | source;
    clock()->pll_config = P_ON | INPUT_4_TO_8_MHZ;
    clock()->pll1_dividers = R_8 | Q_8 | P_2 | N_200;
    if (!rcc_locks_pll(&clock()->control) || !flash_keeps_up()) {
        return;
    }
    clock()->dividers[0] = D1PPRE_2 | HPRE_2;
    clock()->dividers[1] = D2PPRE2_2 | D2PPRE1_2;
    clock()->dividers[2] = D3PPRE_2;
    clock()->config = SW_PLL1;
    if (!el_becomes(&clock()->config, SWS, SWS_PLL1)) {
        clock()->config = 0;
        clock()->dividers[0] = 0;
        clock()->dividers[1] = 0;
        clock()->dividers[2] = 0;
    }
}

static int is_up(void)
{
    return (clock()->config & SWS) == SWS_PLL1;
}

uint32_t el_core_hz(void)
{
    return is_up() ? EL_CORE_HZ : HSI_MHZ * 1000000u;
}

uint32_t el_uart_hz(void)
{
    return is_up() ? EL_UART_HZ : HSI_MHZ * 1000000u;
}
