/* The USART of STM32F4: one data register, and a status that forgets an overrun when it and the data were read. */
#include "stm32/usart.h"

typedef struct {
    volatile uint32_t status;
    volatile uint32_t data;
    volatile uint32_t divider;
    volatile uint32_t control[3];
} usart;

enum { UE = 1 << 13 }; /* control[0] */

static usart *port(void)
{
    return (usart *)EL_UART_BASE;
}

void el_usart_start(uint32_t divider)
{
    usart_begins(port()->control, &port()->divider, divider, UE);
    (void)port()->data; /* an emulated receiver starts with the first read */
}

uint32_t el_usart_status(void)
{
    return port()->status;
}

uint8_t el_usart_take(void)
{
    return (uint8_t)port()->data;
}

void el_usart_put(uint8_t byte)
{
    port()->data = byte;
}
