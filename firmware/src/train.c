/* The training driver: what happens to one sample, in which order, and what is counted. */
#include "el/hal.h"
#include "el/rt.h"

enum { MEAN_OVER = 100 }; /* samples the running loss and accuracy look back */

el_run el_state_of_run;

/* By its bits, so that no compiler setting can reason the test away. */
static int is_finite(float value)
{
    union {
        float f;
        uint32_t u;
    } bits = {value};
    return (bits.u & 0x7F800000u) != 0x7F800000u;
}

/* Of several scores the largest; with a single one there are two classes. */
static uint32_t predict(void)
{
    const float *y = el_model.output.data;
    const uint32_t count = el_model.output.bytes / 4u;
    uint32_t best = 0;
    if (count == 1u && el_model.target_kind == EL_TARGET_LABEL) {
        return y[0] > el_model.threshold ? 1u : 0u;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (y[i] > y[best]) {
            best = i;
        }
    }
    return best;
}

static int is_correct(uint32_t predicted)
{
    return el_model.target_kind == EL_TARGET_LABEL && *(const uint32_t *)el_model.target.data == predicted;
}

void el_run_init(void)
{
    el_run *r = &el_state_of_run;
    r->optim.momentum = 0.9f;
    r->optim.beta2 = 0.999f;
    r->optim.epsilon = 1e-8f;
    r->optim.grad_scale = 1.0f;
    r->schedule.lr = 0.01f;
    r->schedule.kind = EL_CONSTANT;
    el_model_reset();
}

/* Updates that were left out because a gradient was not finite. */
static float left_out(void)
{
    return el_model.scaling ? el_model.scaling[EL_SKIPPED] : 0.0f;
}

/* Settings of the update that the running batch ends in. 1 - beta^t follows from 1 - beta^(t-1) without cancellation;
   the kept value moves on only when the update is done. The gradient's norm stays until there is a new one. */
static void prepare(el_run *r, float *bias1, float *bias2)
{
    el_optim *o = &r->optim;
    *bias1 = o->bias1;
    *bias2 = o->bias2;
    o->lr = el_schedule_lr(&r->schedule, r->step);
    o->bias1 = o->bias1 * o->momentum + (1.0f - o->momentum);
    o->bias2 = o->bias2 * o->beta2 + (1.0f - o->beta2);
    o->grad_scale = el_model.scaling ? 1.0f / el_model.scaling[EL_SCALE] : 1.0f;
    if (r->in_batch + 1u >= el_model.batch) {
        o->grad_norm = 0.0f;
    }
}

/* The update, where there were `skipped` before it; what it did, as a flag. One that is left out is no step. */
static uint16_t finish_batch(el_run *r, float skipped)
{
    el_model_update(&r->optim);
    r->in_batch = 0;
    if (left_out() != skipped) {
        return EL_FLAG_SKIPPED;
    }
    r->step++;
    return EL_FLAG_UPDATED;
}

static void count(el_run *r, float loss, int correct)
{
    r->samples++;
    r->last_loss = loss;
    const float part = 1.0f / (float)(r->samples < MEAN_OVER ? r->samples : MEAN_OVER);
    r->mean_loss += part * (loss - r->mean_loss);
    r->accuracy += part * ((correct ? 1.0f : 0.0f) - r->accuracy);
}

/* Backward from the loss that was just computed, and the update if that completes a batch. */
static void learn(el_run *r, el_result *out)
{
    float bias1;
    float bias2;
    uint16_t done = 0;
    const float skipped = left_out();

    prepare(r, &bias1, &bias2);
    el_model_backward(&r->optim);
    r->in_batch++;
    if (r->in_batch >= el_model.batch) {
        done = finish_batch(r, skipped);
    }
    if (done != EL_FLAG_UPDATED) {
        r->optim.bias1 = bias1;
        r->optim.bias2 = bias2;
    }
    out->flags = (uint16_t)(out->flags | done);
    out->grad_norm = done ? r->optim.grad_norm : 0.0f;
}

/* The running sample, and after it some that were kept: others than itself, which may have been taken up. */
static void train(el_run *r, el_result *out, uint32_t taken)
{
    count(r, out->loss, (out->flags & EL_FLAG_CORRECT) != 0);
    learn(r, out);
    for (uint32_t i = 0; i < el_replay_ratio() && el_replay_recall(taken); i++) {
        if (is_finite(el_model_loss())) {
            learn(r, out);
        } else {
            r->skipped++;
        }
    }
}

static void report(const el_run *r, el_result *out, uint64_t start)
{
    const uint64_t ticks = el_hal_ticks() - start;
    out->step = r->step;
    out->samples = r->samples;
    out->lr = r->optim.lr;
    out->ticks_low = (uint32_t)ticks;
    out->ticks_high = (uint32_t)(ticks >> 32);
}

/* A step was done, and its ticks are counted: time to save, where it is. */
static void tell_of(const el_result *out)
{
    if ((out->flags & EL_FLAG_UPDATED) != 0 && el_model.extras != 0 && el_model.extras->updated != 0) {
        el_model.extras->updated();
    }
}

el_result el_run_sample(uint32_t op, int cached)
{
    el_run *r = &el_state_of_run;
    el_result out = {0};
    uint32_t taken = EL_NO_SLOT;
    const uint64_t start = el_hal_ticks();

    const int offers = op == EL_OP_OFFER || op == EL_OP_LEARN;
    if (!offers && !cached) {
        el_model_forward();
    } else {
        if (!cached) {
            el_model.prefix();
        }
        if (offers) {
            taken = el_replay_offer(*(const uint32_t *)el_model.target.data);
        }
        el_model.head();
    }
    out.predicted = predict();
    if (op != EL_OP_INFER) {
        out.loss = el_model_loss();
        out.flags =
            (uint16_t)((is_correct(out.predicted) ? EL_FLAG_CORRECT : 0) | (taken != EL_NO_SLOT ? EL_FLAG_KEPT : 0));
        if (!is_finite(out.loss)) {
            out.status = EL_SAMPLE_NOT_FINITE;
        }
    }
    if (op == EL_OP_TRAIN || op == EL_OP_LEARN) {
        if (out.status == EL_SAMPLE_OK) {
            train(r, &out, taken);
        } else {
            r->skipped++;
        }
    }
    report(r, &out, start);
    tell_of(&out);
    return out;
}

el_result el_run_flush(void)
{
    el_run *r = &el_state_of_run;
    el_result out = {0};
    float bias1;
    float bias2;
    const uint64_t start = el_hal_ticks();

    if (r->in_batch > 0) {
        prepare(r, &bias1, &bias2);
        r->optim.grad_norm = 0.0f;
        out.flags = finish_batch(r, left_out());
        if (out.flags != EL_FLAG_UPDATED) {
            r->optim.bias1 = bias1;
            r->optim.bias2 = bias2;
        }
        out.grad_norm = r->optim.grad_norm;
    }
    out.loss = r->last_loss;
    report(r, &out, start);
    tell_of(&out);
    return out;
}
