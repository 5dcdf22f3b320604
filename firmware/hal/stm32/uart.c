/* Carrier: a USART whose bytes are received by interrupt. While a sample is trained nobody reads, and without a ring
   silicon would lose what comes meanwhile. */
#include "arm/cycles.h"
#include "bare/ring.h"
#include "el/hal.h"
#include "stm32/chip.h"

typedef struct {
    volatile uint32_t mode;
    volatile uint32_t type;
    volatile uint32_t speed;
    volatile uint32_t pull;
    volatile uint32_t input;
    volatile uint32_t output;
    volatile uint32_t set;
    volatile uint32_t lock;
    volatile uint32_t function[2];
} gpio;

enum { ALTERNATE = 2, FAST = 2, PULL_UP = 1 }; /* mode, speed, pull: two bits a pin */

static volatile uint32_t *const enable_interrupt = (volatile uint32_t *)0xE000E100u;

static el_ring ring;
static uint32_t overruns;

static void field(volatile uint32_t *word, uint32_t pin, uint32_t bits, uint32_t value)
{
    const uint32_t shift = pin * bits;
    *word = (*word & ~(((1u << bits) - 1u) << shift)) | value << shift;
}

static void connect_pin(uint32_t pin)
{
    gpio *port = (gpio *)EL_UART_PORT;
    field(&port->function[pin / 8], pin % 8, 4, EL_UART_FUNCTION);
    field(&port->speed, pin, 2, FAST);
    field(&port->pull, pin, 2, PULL_UP); /* a receiver with nothing on it hears silence */
    field(&port->mode, pin, 2, ALTERNATE);
}

static void clock_on(uint32_t address, uint32_t bit)
{
    *el_register(address) |= 1u << bit;
    (void)*el_register(address); /* the clock is there before the next access */
}

void el_hal_init(void)
{
    clock_on(EL_UART_PORT_ENABLE, EL_UART_PORT_ENABLE_BIT);
    clock_on(EL_UART_ENABLE, EL_UART_ENABLE_BIT);
    connect_pin(EL_UART_TX_PIN);
    connect_pin(EL_UART_RX_PIN);
    el_usart_start((el_uart_hz() + EL_UART_BAUD / 2) / EL_UART_BAUD);
    enable_interrupt[EL_UART_IRQ / 32] = 1u << EL_UART_IRQ % 32;
}

/* The only external interrupt that is enabled. */
void el_interrupt(void);
void el_interrupt(void)
{
    uint32_t status = el_usart_status();

    while ((status & (EL_USART_RXNE | EL_USART_ORE)) != 0) {
        overruns += (status & EL_USART_ORE) != 0;
        const uint8_t byte = el_usart_take();
        if ((status & EL_USART_RXNE) != 0) {
            overruns += el_ring_put(&ring, byte) == 0;
        }
        status = el_usart_status();
    }
}

/* With interrupts off nothing comes between the look and the sleep; a pending one ends it all the same. */
static void sleep_until_byte(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (el_ring_count(&ring) == 0) {
        el_doze();
    }
    __asm volatile("cpsie i\n\tisb" ::: "memory");
}

uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    while (el_ring_count(&ring) == 0) {
        sleep_until_byte();
    }
    return el_ring_take(&ring, to, max);
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        while ((el_usart_status() & EL_USART_TXE) == 0) {
        }
        el_usart_put(from[i]);
    }
}

void el_uart_drain(void)
{
    while ((el_usart_status() & EL_USART_TC) == 0) {
    }
}

uint32_t el_hal_overruns(void)
{
    return overruns;
}
