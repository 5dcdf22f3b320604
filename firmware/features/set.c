/* Samples of a set in flash. */
#include "el/source.h"

uint8_t el_set_sample(uint32_t index)
{
    const uint32_t bytes = el_sample_bytes() + el_model.target.bytes;
    if (index >= el_source.set_count) {
        return EL_BAD_ARGUMENT;
    }
    return el_sample_put(0, el_source.set + index * bytes, bytes) ? EL_DONE : EL_FAILED;
}
