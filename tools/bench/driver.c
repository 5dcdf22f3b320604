/* Serves kernel calls over a byte stream, so that tests and benchmarks can call any kernel with any operands.
 *
 * Request, all words little-endian: kernel id (0xffffffff ends), number of arguments, then per argument a kind and
 * 0 integer: its word; 1 float: its word; 2 NULL; 3 array: byte count and bytes; 4 alias: index of an earlier argument.
 * Response: 8 bytes, the ticks of the board's counter that the call took, then the bytes of every array, in order. */
#include "probe.h"

uint64_t probe_ticks;

enum { MAX_ARGS = 16 };

static uint32_t word(void)
{
    uint32_t w;
    probe_read(&w, sizeof w);
    return w;
}

int main(void)
{
    for (;;) {
        probe_arg args[MAX_ARGS];
        uint32_t bytes[MAX_ARGS];
        const uint32_t id = word();
        if (id == 0xffffffffu) {
            probe_exit(0);
        }
        const uint32_t count = word();
        if (count > MAX_ARGS) {
            probe_exit(2);
        }
        for (uint32_t k = 0; k < count; k++) {
            const uint32_t kind = word();
            bytes[k] = 0;
            args[k].p = 0;
            if (kind == 3) {
                bytes[k] = word();
                args[k].p = probe_alloc(bytes[k]);
                probe_read(args[k].p, bytes[k]);
            } else if (kind == 4) {
                args[k] = args[word()];
            } else if (kind != 2) {
                args[k].i = (int32_t)word();
            }
        }
        probe_call(id, args);
        probe_write(&probe_ticks, sizeof probe_ticks);
        for (uint32_t k = 0; k < count; k++) {
            if (bytes[k] != 0) {
                probe_write(args[k].p, bytes[k]);
            }
        }
        probe_free_all();
    }
}
