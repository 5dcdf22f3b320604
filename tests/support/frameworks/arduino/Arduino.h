// What the hardware layer uses of the Arduino API, as its reference documents it (Serial, micros, delay, yield): stands
// in for cores that can't be had without a download. Signatures are those of ArduinoCore-API.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

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

void setup();
void loop();

#endif
