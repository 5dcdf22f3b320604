/* The USART of STM32F7, L4 and H7: data registers for each direction, and flags that are cleared by a write. */
#include "stm32/usart.h"

typedef struct {
    volatile uint32_t control[3];
    volatile uint32_t divider;
    volatile uint32_t guard;
    volatile uint32_t timeout;
    volatile uint32_t request;
    volatile uint32_t status;
    volatile uint32_t clear;
    volatile uint32_t received;
    volatile uint32_t sent;
} usart;

enum { UE = 1 << 0 }; /* control[0] */

static usart *port(void)
{
    return (usart *)EL_UART_BASE;
}

void el_usart_start(uint32_t divider)
{
    usart_begins(port()->control, &port()->divider, divider, UE);
    (void)port()->received; /* an emulated receiver starts with the first read */
}

uint32_t el_usart_status(void)
{
    return port()->status;
}

uint8_t el_usart_take(void)
{
    port()->clear = EL_USART_ORE;
    return (uint8_t)port()->received;
}

void el_usart_put(uint8_t byte)
{
    port()->sent = byte;
}
