/* What clang may call by itself and has no library for on a bare core: an int64_t as a float. */
#include <stdint.h>

float __floatdisf(int64_t value);

/* 32 bits of the magnitude, the last of which says whether any below is set, round to 24 as all of them would. */
float __floatdisf(int64_t value)
{
    uint64_t magnitude = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    float power = 1.0f;

    while (magnitude >> 32 != 0) {
        magnitude = magnitude >> 1 | (magnitude & 1u);
        power *= 2.0f;
    }
    const float f = (float)(uint32_t)magnitude * power;
    return value < 0 ? -f : f;
}
