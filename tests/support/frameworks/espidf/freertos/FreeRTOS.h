#ifndef FREERTOS_H
#define FREERTOS_H
#include <stdint.h>
typedef uint32_t TickType_t;
typedef unsigned int UBaseType_t;
#define portMAX_DELAY ((TickType_t)0xFFFFFFFFu)
#endif
