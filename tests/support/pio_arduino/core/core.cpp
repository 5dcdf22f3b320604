// An Arduino core for the MPS2 boards in QEMU: start-up, Serial on UART 0, micros. As small as it can be.
#include <Arduino.h>

extern "C" {
extern uint32_t stack_top[];
extern uint32_t data_start[], data_end[], data_load[];
extern uint32_t bss_start[], bss_end[];
void reset_handler(void);
}

SerialPort Serial;

namespace
{
struct Uart {
    volatile uint32_t data, state, control, interrupts, divider;
};

Uart &uart = *reinterpret_cast<Uart *>(0x40004000u);
volatile uint32_t *const timer = reinterpret_cast<volatile uint32_t *>(0x40000000u); // control, value, reload

enum { TX_FULL = 1, RX_FULL = 2, ENABLE_BOTH = 3 };
} // namespace

void SerialPort::begin(unsigned long baud)
{
    uart.divider = 25000000u / baud;
    uart.control = ENABLE_BOTH;
    (void)uart.data;
}

int SerialPort::available()
{
    return uart.state & RX_FULL ? 1 : 0;
}

int SerialPort::read()
{
    return available() ? static_cast<int>(uart.data & 0xFFu) : -1;
}

// Sixteen bytes a call at most, as a USB port with little room would.
size_t SerialPort::write(const uint8_t *buffer, size_t size)
{
    const size_t part = size < 16 ? size : 16;
    for (size_t i = 0; i < part; i++) {
        while (uart.state & TX_FULL) {
        }
        uart.data = buffer[i];
    }
    return part;
}

void SerialPort::flush()
{
}

SerialPort::operator bool()
{
    return true;
}

unsigned long micros()
{
    timer[2] = 0xFFFFFFFFu;
    timer[0] = 1;
    return (0xFFFFFFFFu - timer[1]) / 25u;
}

extern "C" void yield(void)
{
}

extern "C" void reset_handler(void)
{
    *reinterpret_cast<volatile uint32_t *>(0xE000ED88u) |= 0xFu << 20; // FPU
    __asm volatile("dsb\n isb" ::: "memory");
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    setup();
    for (;;) {
        loop();
    }
}

extern "C" const void *const vectors[] __attribute__((section(".vectors"), used)) = {
    stack_top,
    reinterpret_cast<const void *>(reset_handler),
};
