/* Samples of a sensor: standardised by statistics of their own, labelled by the host or by the board. */
#include "el/link.h"
#include "el/math.h"
#include "el/port.h"
#include "el/source.h"

#define TINY 1e-12f /* variance of a channel that has not moved yet */

/* Each value moves mean and variance by 1/n of what it is off; from EL_STANDARD_OVER values on older ones are forgotten
   slowly. */
static void look_at(const float *x, uint32_t count)
{
    el_standard *s = el_source.standard;
    float *mean = s->numbers;
    float *variance = s->numbers + el_source.channels;
    for (uint32_t i = 0; i < count; i += el_source.channels) {
        s->count += s->count < EL_STANDARD_OVER ? 1u : 0u;
        const float part = 1.0f / (float)s->count;
        for (uint32_t c = 0; c < el_source.channels; c++) {
            const float off = x[i + c] - mean[c];
            mean[c] += part * off;
            variance[c] += part * (off * (x[i + c] - mean[c]) - variance[c]);
        }
    }
}

static void standardise(float *x, uint32_t count)
{
    const el_standard *s = el_source.standard;
    for (uint32_t i = 0; i < count && s->count > 0; i += el_source.channels) {
        for (uint32_t c = 0; c < el_source.channels; c++) {
            const float variance = s->numbers[el_source.channels + c];
            x[i + c] = (x[i + c] - s->numbers[c]) / el_sqrtf(variance + TINY);
        }
    }
}

static int is_learning(uint32_t op)
{
    return op == EL_OP_TRAIN || op == EL_OP_LEARN || op == EL_OP_OFFER;
}

/* The label into the target; 1 unless there is none where one is wanted. */
static uint8_t set_label(uint32_t op, uint32_t label)
{
    const uint32_t outputs = el_model.output.bytes / 4u;
    if (el_model.target_kind != EL_TARGET_LABEL) {
        return EL_DONE;
    }
    if (label == EL_NO_LABEL && !el_port_label(&label)) {
        return op == EL_OP_INFER || op == EL_OP_NONE ? EL_DONE : EL_FAILED;
    }
    if (label >= (outputs == 1u ? 2u : outputs)) {
        return EL_BAD_ARGUMENT;
    }
    *(uint32_t *)el_model.target.data = label;
    return EL_DONE;
}

uint8_t el_sensor_sample(uint32_t op, uint32_t label)
{
    float *x = el_model.input.data;
    const uint32_t count = el_model.input.bytes / 4u;
    uint8_t code;

    if (!el_port_sample(x, count)) {
        return EL_FAILED;
    }
    code = set_label(op, label);
    if (code == EL_DONE && el_source.standard != 0) {
        /* As long as nothing was learned, a sample is standardised by itself; the first value to come starts anew. */
        const uint32_t known = el_source.standard->count;
        if (is_learning(op) || known == 0) {
            look_at(x, count);
        }
        standardise(x, count);
        if (!is_learning(op)) {
            el_source.standard->count = known;
        }
    }
    return code;
}
