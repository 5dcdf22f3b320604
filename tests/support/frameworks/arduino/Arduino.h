// What the hardware layer uses of the Arduino API, as its reference documents it (Serial, micros, delay, yield): stands
// in for cores that can't be had without a download. Signatures are those of ArduinoCore-API.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

// string.h comes with it
extern "C" void *memcpy(void *to, const void *from, size_t count);
extern "C" void *memset(void *to, int byte, size_t count);

class SerialPort
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *buffer, size_t size);
    size_t print(const char *text);
    size_t print(unsigned value);
    size_t print(unsigned long value);
    size_t print(double value, int digits = 2);
    size_t println();
    void flush();
    explicit operator bool();
};

extern SerialPort Serial;

unsigned long micros();
void delay(unsigned long milliseconds);
extern "C" void yield(void);

void noInterrupts();
void interrupts();

// arduino-pico's
class RP2040
{
  public:
    void idleOtherCore();
    void resumeOtherCore();
};

extern RP2040 rp2040;

void setup();
void loop();

#endif
