// Adafruit's cores have their USB serial port in a library, which is built in where somebody includes it.
#include <Adafruit_TinyUSB.h>
