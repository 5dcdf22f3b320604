/* Carrier: a 16550 UART with its FIFO, polled. */
#include "board.h"
#include "el/hal.h"

typedef struct {
    volatile uint8_t data;
    volatile uint8_t interrupt_enable;
    volatile uint8_t fifo_control;
    volatile uint8_t line_control;
    volatile uint8_t modem_control;
    volatile uint8_t line_status;
} uart_16550;

enum { DATA_READY = 0x01, OVERRUN = 0x02, TX_EMPTY = 0x20 }; /* line status */
enum { EIGHT_BITS = 0x03 };                                  /* line control */
enum { FIFO_ON_CLEAR_TRIGGER_14 = 0xC7 };                    /* the emulator refills the FIFO up to the trigger */

/* As many bytes as the other carriers keep, so that the runtime's RAM is one number a board. */
static struct {
    uint32_t overruns;
    uint32_t received;
} counts;

static uart_16550 *uart(void)
{
    return (uart_16550 *)EL_UART_BASE;
}

void el_hal_init(void)
{
    uart()->interrupt_enable = 0;
    uart()->line_control = EIGHT_BITS;
    uart()->fifo_control = FIFO_ON_CLEAR_TRIGGER_14;
    (void)uart()->data; /* an emulated receiver starts with the first read */
}

uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    uint32_t got = 0;
    uint8_t status = uart()->line_status;

    while ((status & DATA_READY) == 0) {
        status = uart()->line_status;
    }
    while (got < max && (status & DATA_READY) != 0) {
        counts.overruns += (status & OVERRUN) != 0;
        to[got++] = uart()->data;
        status = uart()->line_status;
    }
    counts.received += got;
    return got;
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        while ((uart()->line_status & TX_EMPTY) == 0) {
        }
        uart()->data = from[i];
    }
}

uint32_t el_hal_overruns(void)
{
    return counts.overruns;
}
