/* Carrier of the native process: stdin and stdout. Two pipes, or one socket in the place of a UART; the process can't
   tell. Partial transfers and interrupted calls are the only difficulty here. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "el/hal.h"

void el_hal_init(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
}

uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    for (;;) {
        const ssize_t got = read(STDIN_FILENO, to, max);
        if (got >= 0) {
            return (uint32_t)got;
        }
        if (errno != EINTR) {
            return 0;
        }
    }
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    while (count > 0) {
        const ssize_t done = write(STDOUT_FILENO, from, count);
        if (done < 0 && errno != EINTR) {
            return; /* the reader is gone; the next read will say so too */
        }
        if (done > 0) {
            from += done;
            count -= (uint32_t)done;
        }
    }
}
