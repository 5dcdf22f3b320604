/* Carrier: the UART of SiFive's chips, received by interrupt: its FIFO has eight bytes. */
#include "bare/ring.h"
#include "el/hal.h"
#include "sifive/chip.h"

typedef struct {
    volatile uint32_t send;
    volatile uint32_t receive;
    volatile uint32_t send_control;
    volatile uint32_t receive_control;
    volatile uint32_t enable;
    volatile uint32_t pending;
    volatile uint32_t divider;
} sifive_uart;

enum { ON = 1, SENT_WHEN_EMPTY = 1 << 16 }; /* send_control, receive_control */
enum { SEND = 1, RECEIVE = 2 };             /* enable, pending */
enum { PLIC_ENABLE = 0x2000, PLIC_THRESHOLD = 0x200000, PLIC_CLAIM = 0x200004 };
enum { IOF_ENABLE = 0x38, IOF_SELECT = 0x3C }; /* of the GPIO block */
enum { MSTATUS_MIE = 1 << 3, MIE_EXTERNAL = 1 << 11 };

#define NOT_NOW 0x80000000u /* send: full; receive: empty */

static el_ring ring;
static uint32_t overruns;

static sifive_uart *uart(void)
{
    return (sifive_uart *)EL_UART_BASE;
}

void el_hal_init(void)
{
    const uint32_t pins = 1u << EL_UART_TX_PIN | 1u << EL_UART_RX_PIN;

    el_clock_up();
    *el_register(EL_GPIO_BASE + IOF_SELECT) &= ~pins;
    *el_register(EL_GPIO_BASE + IOF_ENABLE) |= pins;
    uart()->divider = (el_core_hz() + EL_UART_BAUD / 2) / EL_UART_BAUD - 1;
    uart()->send_control = SENT_WHEN_EMPTY | ON;
    uart()->receive_control = ON;
    uart()->enable = RECEIVE;
    *el_register(EL_PLIC_BASE + 4 * EL_UART_IRQ) = 1;
    *el_register(EL_PLIC_BASE + PLIC_ENABLE) = 1u << EL_UART_IRQ;
    *el_register(EL_PLIC_BASE + PLIC_THRESHOLD) = 0;
    __asm volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
    __asm volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
}

/* The only external interrupt that is enabled. The FIFO says nothing of bytes that found it full. */
void el_interrupt(void);
void el_interrupt(void)
{
    volatile uint32_t *const claim = el_register(EL_PLIC_BASE + PLIC_CLAIM);
    const uint32_t source = *claim;

    for (uint32_t word = uart()->receive; (word & NOT_NOW) == 0; word = uart()->receive) {
        overruns += el_ring_put(&ring, (uint8_t)word) == 0;
    }
    *claim = source;
}

/* With interrupts off nothing comes between the look and the sleep; a pending one ends it all the same. */
static void sleep_until_byte(void)
{
    __asm volatile("csrc mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
    if (el_ring_count(&ring) == 0) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
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
        while ((uart()->send & NOT_NOW) != 0) {
        }
        uart()->send = from[i];
    }
}

/* The FIFO says when it is empty; the byte on the wire is then out a byte's time later. */
void el_uart_drain(void)
{
    (void)el_becomes(&uart()->pending, SEND, SEND);
    const uint64_t last = el_hal_ticks() + 12 * (uint64_t)(el_core_hz() / EL_UART_BAUD);
    while (el_hal_ticks() < last) {
    }
}

uint32_t el_hal_overruns(void)
{
    return overruns;
}
