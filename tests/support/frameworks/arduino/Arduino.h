// What the hardware layer uses of the Arduino API, as its reference documents it (Serial, micros, yield): stands in for
// cores that can't be had without a download. Signatures are those of ArduinoCore-API.
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
    void flush();
    explicit operator bool();
};

extern SerialPort Serial;

unsigned long micros();
extern "C" void yield(void);

void setup();
void loop();

#endif
