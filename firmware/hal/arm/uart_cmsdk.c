/* Carrier: the CMSDK APB UART of the MPS2 and MPS3 boards, polled. */
#include "board.h"
#include "el/hal.h"

typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t control;
    volatile uint32_t interrupts;
    volatile uint32_t divider;
} cmsdk_uart;

enum { TX_FULL = 1, RX_FULL = 2, RX_OVERRUN = 8 }; /* state */
enum { TX_ENABLE = 1, RX_ENABLE = 2 };             /* control */
enum { DIVIDER = 217 };                            /* 25 MHz / 115200 */

/* As many bytes as the other carriers keep, so that the runtime's RAM is one number a board. */
static struct {
    uint32_t overruns;
    uint32_t received;
} counts;

static cmsdk_uart *uart(void)
{
    return (cmsdk_uart *)EL_UART_BASE;
}

void el_hal_init(void)
{
    uart()->divider = DIVIDER;
    uart()->control = TX_ENABLE | RX_ENABLE;
    (void)uart()->data; /* an emulated receiver starts with the first read */
}

uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    uint32_t got = 0;
    uint32_t state = uart()->state;

    while ((state & RX_FULL) == 0) {
        state = uart()->state;
    }
    while (got < max && (state & RX_FULL) != 0) {
        to[got++] = (uint8_t)uart()->data;
        if (state & RX_OVERRUN) {
            uart()->state = RX_OVERRUN;
            counts.overruns++;
        }
        state = uart()->state;
    }
    counts.received += got;
    return got;
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        while (uart()->state & TX_FULL) {
        }
        uart()->data = from[i];
    }
}

uint32_t el_hal_overruns(void)
{
    return counts.overruns;
}
