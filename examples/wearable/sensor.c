/* Windows of an inertial sensor, as docs/SENSORS.md describes it: 128 readings of acceleration x, y, z and rotation
   x, y, z, 50 a second. `edgelearn build --sensor sensor.c --standardise` puts this file into the program.

   There is no such sensor in an emulator. What stands below `read_imu` makes one up: seven movements, which differ in
   rhythm and direction, in raw units far from mean 0 and variance 1. On a board of yours read_imu asks the real one. */
#include "el/math.h"
#include "el/port.h"

enum { AXES = 6, MOVEMENTS = 7 };

/* A button that cycles through the labels would set this; the synthetic sensor knows what it makes up. */
static uint32_t movement;

static struct {
    uint32_t random;
    uint32_t time;
} state = {1, 0};

/* -1 to 1. */
static float noise(void)
{
    state.random ^= state.random << 13;
    state.random ^= state.random >> 17;
    state.random ^= state.random << 5;
    return (float)(state.random >> 8) / 8388608.0f - 1.0f;
}

/* One reading: m/s^2 with gravity in z, and degrees a second. */
static void read_imu(float *axes)
{
    const float angle = 0.05f * (float)(1 + movement) * (float)state.time++;
    for (uint32_t axis = 0; axis < AXES; axis++) {
        const float swing = el_cosf(angle + 0.9f * (float)(axis * (movement + 1)));
        const float scale = axis < 3 ? 2.0f : 90.0f;
        axes[axis] = scale * (swing + 0.2f * noise()) + (axis == 2 ? 9.81f : 0.0f);
    }
}

int el_port_sample(float *to, uint32_t count)
{
    movement = (movement + 1) % MOVEMENTS;
    state.time = 0;
    for (uint32_t i = 0; i < count; i += AXES) {
        read_imu(to + i);
    }
    return 1;
}

int el_port_label(uint32_t *label)
{
    *label = movement;
    return 1;
}
