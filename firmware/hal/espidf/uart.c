/* Boards that ESP-IDF starts: its UART driver carries the frames, in the task that runs app_main. */
#include "driver/uart.h"
#include "esp_cpu.h"
#include "esp_log.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#include "el/hal.h"
#include "el/link.h"
#include "hosted/cycles.h"

#include "board.h"

enum { BUFFER = 2048, PORT = UART_NUM_0 };

_Static_assert(BUFFER >= EL_WINDOW * EL_WIRE_MAX, "a window of frames fits, with nobody to read them");

extern const uint32_t el_stack_reserved;
const uint32_t el_stack_reserved = CONFIG_ESP_MAIN_TASK_STACK_SIZE;

/* The system's own messages would come between frames. What the boot loader printed is noise to the host. */
void el_hal_init(void)
{
    const uart_config_t config = {
        .baud_rate = (int)EL_UART_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    if (uart_is_driver_installed(PORT)) {
        return;
    }
    esp_log_level_set("*", ESP_LOG_NONE);
    ESP_ERROR_CHECK(uart_driver_install(PORT, BUFFER, 0, 0, NULL, 0));
    ESP_ERROR_CHECK(uart_param_config(PORT, &config));
}

/* Blocks in the driver, so that the idle task runs. */
uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    int got = 0;
    while (got <= 0) {
        got = uart_read_bytes(PORT, to, 1, portMAX_DELAY);
    }
    size_t waiting = 0;
    if (max > 1 && uart_get_buffered_data_len(PORT, &waiting) == ESP_OK && waiting > 0) {
        const int more = uart_read_bytes(PORT, to + 1, waiting < max - 1 ? (uint32_t)waiting : max - 1, 0);
        got += more > 0 ? more : 0;
    }
    return (uint32_t)got;
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    (void)uart_write_bytes(PORT, from, count);
}

uint64_t el_hal_ticks(void)
{
    static uint64_t total;
    static uint64_t before;
    const uint64_t now = (uint64_t)esp_timer_get_time();

    total = el_cycles_extend(total + (now - before) * (EL_CORE_HZ / 1000000u), esp_cpu_get_cycle_count());
    before = now;
    return total;
}

uint32_t el_hal_counter_hz(void)
{
    return EL_CORE_HZ;
}

uint32_t el_hal_overruns(void)
{
    return 0; /* the driver does not count them; damaged frames are counted by the link */
}

uint32_t el_hal_stack_used(void)
{
    return el_stack_reserved - (uint32_t)uxTaskGetStackHighWaterMark(NULL);
}

_Noreturn void el_hal_exit(int code)
{
    (void)code;
    for (;;) {
        esp_restart();
    }
}
