#ifndef TASK_H
#define TASK_H
#include "freertos/FreeRTOS.h"
typedef void *TaskHandle_t;
UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task); /* in bytes in ESP-IDF */
#endif
