// An Arduino core for this computer, as far as a sketch that prints goes: three rounds of its loop.
#include <Arduino.h>
#include <cstdio>

SerialPort Serial;

void SerialPort::begin(unsigned long)
{
}

size_t SerialPort::print(const char *text)
{
    return static_cast<size_t>(std::printf("%s", text));
}

size_t SerialPort::print(unsigned value)
{
    return static_cast<size_t>(std::printf("%u", value));
}

size_t SerialPort::print(unsigned long value)
{
    return static_cast<size_t>(std::printf("%lu", value));
}

size_t SerialPort::print(double value, int digits)
{
    return static_cast<size_t>(std::printf("%.*f", digits, value));
}

size_t SerialPort::println()
{
    return static_cast<size_t>(std::printf("\n"));
}

void delay(unsigned long)
{
}

int main()
{
    setup();
    loop();
    loop();
    loop();
}
