/* Commands. A frame is executed when its number is the one expected. One that had been executed is answered again and
   not executed again; reading commands change nothing and simply run once more. */
#include "el/hal.h"
#include "el/rt.h"

/* Copies whole chunks; the libc-free runtime brings its own. */
void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);

extern const uint32_t el_stack_reserved;

/* What was answered to the last EL_WINDOW frames. */
typedef struct {
    uint8_t seq;
    uint8_t valid;
    uint8_t code;
    uint8_t has_result;
    el_result result;
} answer;

static struct {
    uint32_t nonce; /* of the session's HELLO; 0: none yet */
    uint8_t next;   /* the number expected */
    uint8_t gap;    /* a gap was reported and is still open */
    answer answers[EL_WINDOW];
} session;

static uint32_t word(const el_frame *f, uint32_t index)
{
    uint32_t value;
    memcpy(&value, f->payload + 4u * index, 4);
    return value;
}

static float real(const el_frame *f, uint32_t index)
{
    float value;
    memcpy(&value, f->payload + 4u * index, 4);
    return value;
}

static void acknowledge(uint8_t seq, uint8_t code)
{
    const uint8_t payload[2] = {session.next, code};
    el_link_begin(EL_ACK, seq);
    el_link_put(payload, sizeof payload);
    el_link_end();
}

static void send_result(uint8_t seq, const el_result *r)
{
    el_link_begin(EL_RESULT, seq);
    el_link_u32((uint32_t)r->status | (uint32_t)r->flags << 16);
    el_link_u32(r->predicted);
    el_link_f32(r->loss);
    el_link_u32(r->step);
    el_link_f32(r->lr);
    el_link_f32(r->grad_norm);
    el_link_u32(r->samples);
    el_link_u32(r->ticks_low);
    el_link_u32(r->ticks_high);
    el_link_end();
}

/* What is known of the flash; all zero where there is none. */
static const el_saved *saved(void)
{
    static const el_saved nothing;
    return el_model.extras != 0 && el_model.extras->saved != 0 ? el_model.extras->saved : &nothing;
}

static uint32_t features(void)
{
    return (el_model.extras != 0 ? el_model.extras->features : 0) | saved()->flags;
}

/* A HELLO that comes twice must not set the numbers back: the nonce tells it from a new session's. */
static void hello(const el_frame *f)
{
    if (f->length != 8) {
        return;
    }
    if (session.nonce == 0 || session.nonce != word(f, 1)) {
        session.nonce = word(f, 1);
        session.next = (uint8_t)(f->seq + 1u);
        session.gap = 0;
        for (uint32_t i = 0; i < EL_WINDOW; i++) {
            session.answers[i].valid = 0;
        }
    }
    el_link_begin(EL_HELLO_REPLY, f->seq);
    el_link_u32(EL_PROTOCOL);
    el_link_u32(session.nonce);
    el_link_put(el_model.hash, sizeof el_model.hash);
    el_link_u32(EL_MAX_PAYLOAD);
    el_link_u32(EL_WINDOW);
    el_link_u32(el_sample_bytes());
    el_link_u32(el_model.target.bytes);
    el_link_u32(el_model.output.bytes);
    el_link_u32(el_model.params.bytes);
    el_link_u32(el_model.state.bytes);
    el_link_u32(el_model.batch);
    el_link_u32(el_model.target_kind);
    el_link_u32(el_stack_reserved);
    el_link_u32(el_model.store.bytes / el_slot_bytes());
    el_link_u32(el_model.sample_format);
    el_link_u32(el_model.replay.bytes);
    el_link_u32(features());
    el_link_u32(saved()->step);
    el_link_u32(el_hal_counter_hz());
    el_link_end();
}

static uint8_t configure(const el_frame *f)
{
    el_run *r = &el_state_of_run;
    if (f->length != 44 || word(f, 7) > EL_WSD) {
        return EL_BAD_ARGUMENT;
    }
    r->schedule.lr = real(f, 0);
    r->optim.momentum = real(f, 1);
    r->optim.beta2 = real(f, 2);
    r->optim.epsilon = real(f, 3);
    r->optim.weight_decay = real(f, 4);
    r->optim.clip_norm = real(f, 5);
    r->schedule.min_ratio = real(f, 6);
    r->schedule.kind = word(f, 7);
    r->schedule.warmup = word(f, 8);
    r->schedule.total = word(f, 9);
    r->schedule.decay = word(f, 10);
    return EL_DONE;
}

/* Whether the model can do an operation. */
int el_is_operation(uint32_t op)
{
    return op <= (el_model.replay_slots > 0 ? EL_OP_LEARN : EL_OP_INFER);
}

static uint8_t data(const el_frame *f, uint32_t *op)
{
    if (f->length < 4) {
        return EL_BAD_ARGUMENT;
    }
    *op = word(f, 0) >> 28;
    if (!el_is_operation(*op) || !el_sample_put(word(f, 0) & 0x0FFFFFFFu, f->payload + 4, f->length - 4u)) {
        return EL_BAD_ARGUMENT;
    }
    return EL_DONE;
}

/* The operation on a kept sample, or keeping one. */
static uint8_t run_kept(const el_frame *f, uint32_t *op)
{
    if (f->length == 8 && word(f, 0) == EL_OP_KEEP) {
        return el_sample_keep(word(f, 1)) ? EL_DONE : EL_BAD_ARGUMENT;
    }
    if (f->length != 8 || word(f, 0) == EL_OP_NONE || !el_is_operation(word(f, 0)) || !el_sample_load(word(f, 1))) {
        return EL_BAD_ARGUMENT;
    }
    *op = word(f, 0);
    return EL_DONE;
}

static const el_region *region_of(uint32_t space)
{
    switch (space) {
    case EL_SPACE_PARAMS:
        return &el_model.params;
    case EL_SPACE_STATE:
        return &el_model.state;
    case EL_SPACE_OUTPUT:
        return &el_model.output;
    case EL_SPACE_STORE:
        return &el_model.store;
    case EL_SPACE_REPLAY:
        return &el_model.replay;
    case EL_SPACE_INPUT:
        return &el_model.input;
    case EL_SPACE_TARGET:
        return &el_model.target;
    case EL_SPACE_KEPT:
        return el_model.extras != 0 ? &el_model.extras->kept : 0;
    default:
        return 0;
    }
}

static int is_inside(const el_region *r, uint32_t at, uint32_t count)
{
    return r != 0 && at <= r->bytes && count <= r->bytes - at;
}

static void read_memory(const el_frame *f)
{
    const el_region *r = f->length == 12 ? region_of(word(f, 0)) : 0;
    if (r == 0 || word(f, 2) > EL_MAX_PAYLOAD || !is_inside(r, word(f, 1), word(f, 2))) {
        acknowledge(f->seq, EL_BAD_ARGUMENT);
        return;
    }
    el_link_begin(EL_READ_REPLY, f->seq);
    el_link_put((const uint8_t *)r->data + word(f, 1), word(f, 2));
    el_link_end();
}

static uint8_t write_memory(const el_frame *f)
{
    const el_region *r = f->length >= 8 ? region_of(word(f, 0)) : 0;
    if (r == &el_model.output || r == &el_model.input || r == &el_model.target ||
        !is_inside(r, f->length >= 8 ? word(f, 1) : 0, f->length - 8u)) {
        return EL_BAD_ARGUMENT;
    }
    if (f->length > 8) {
        memcpy((uint8_t *)r->data + word(f, 1), f->payload + 8, f->length - 8u);
    }
    return EL_DONE;
}

static uint8_t reset(const el_frame *f)
{
    el_run *r = &el_state_of_run;
    if (f->length != 24 || word(f, 0) == 0 || word(f, 0) > (EL_RESET_MODEL | EL_RESET_COUNTERS)) {
        return EL_BAD_ARGUMENT;
    }
    if (word(f, 0) & EL_RESET_MODEL) {
        el_model_reset();
    }
    if (word(f, 0) & EL_RESET_COUNTERS) {
        r->step = word(f, 1);
        r->samples = word(f, 2);
        r->in_batch = word(f, 3);
        r->optim.bias1 = real(f, 4);
        r->optim.bias2 = real(f, 5);
        r->skipped = 0;
        r->last_loss = 0.0f;
        r->mean_loss = 0.0f;
        r->accuracy = 0.0f;
        r->optim.grad_norm = 0.0f;
    }
    return EL_DONE;
}

static void status(const el_frame *f)
{
    const el_run *r = &el_state_of_run;
    const el_replay_head *replay = el_model.replay.data;
    const uint64_t ticks = el_hal_ticks();
    el_link_begin(EL_STATUS_REPLY, f->seq);
    el_link_u32(r->step);
    el_link_u32(r->samples);
    el_link_u32(r->in_batch);
    el_link_u32(r->skipped);
    el_link_f32(r->last_loss);
    el_link_f32(r->mean_loss);
    el_link_f32(r->accuracy);
    el_link_f32(el_schedule_lr(&r->schedule, r->step));
    el_link_f32(r->optim.bias1);
    el_link_f32(r->optim.bias2);
    el_link_u32(el_hal_stack_used());
    el_link_u32((uint32_t)ticks);
    el_link_u32((uint32_t)(ticks >> 32));
    el_link_u32(el_link_counts.damaged);
    el_link_u32(el_link_counts.gaps);
    el_link_u32(el_link_counts.duplicates);
    el_link_u32(el_hal_overruns());
    el_link_u32(replay == 0 ? 0 : replay->kept);
    el_link_u32(replay == 0 ? 0 : replay->replayed);
    el_link_u32(saved()->saves);
    el_link_u32(saved()->step);
    el_link_u32(saved()->best_step);
    el_link_f32(saved()->best_score);
    el_link_f32(r->optim.grad_norm);
    el_link_u32(el_model.scaling == 0 ? 0 : (uint32_t)el_model.scaling[EL_SKIPPED]);
    el_link_f32(el_model.scaling == 0 ? 0.0f : el_model.scaling[EL_SCALE]);
    el_link_end();
}

static void echo(const el_frame *f)
{
    el_link_begin(EL_ECHO_REPLY, f->seq);
    el_link_put(f->payload, f->length);
    el_link_end();
}

/* Commands that only read, answered without a trace. */
static int reads(const el_frame *f)
{
    switch (f->type) {
    case EL_READ:
        read_memory(f);
        return 1;
    case EL_STATUS:
        status(f);
        return 1;
    case EL_ECHO:
        echo(f);
        return 1;
    default:
        return 0;
    }
}

/* Commands that change something: once, and the answer is kept. */
static void changes(const el_frame *f, answer *a)
{
    uint32_t op = EL_OP_NONE;

    a->code = EL_DONE;
    a->has_result = 0;
    switch (f->type) {
    case EL_CONFIG:
        a->code = configure(f);
        break;
    case EL_DATA:
        a->code = data(f, &op);
        break;
    case EL_RUN:
        a->code = run_kept(f, &op);
        break;
    case EL_WRITE:
        a->code = write_memory(f);
        break;
    case EL_RESET:
        a->code = reset(f);
        break;
    case EL_FLUSH:
        a->result = el_run_flush();
        a->has_result = 1;
        break;
    case EL_EXIT:
        break;
    default:
        a->code = el_model.extras != 0 ? el_model.extras->command(f, &op) : EL_BAD_COMMAND;
        break;
    }
    if (a->code == EL_DONE && op != EL_OP_NONE) {
        a->result = el_run_sample(op, f->type == EL_RUN && el_model.stores_latents);
        a->has_result = 1;
    }
}

static void reply(const answer *a)
{
    if (a->has_result) {
        send_result(a->seq, &a->result);
    } else {
        acknowledge(a->seq, a->code);
    }
}

static void execute(const el_frame *f)
{
    answer *a = &session.answers[f->seq % EL_WINDOW];
    session.next++;
    session.gap = 0;
    a->seq = f->seq;
    a->valid = 1;
    if (reads(f)) {
        return;
    }
    changes(f, a);
    reply(a);
}

/* A good frame out of turn: done before, or ahead of one that was lost. */
static void out_of_turn(const el_frame *f)
{
    const answer *a = &session.answers[f->seq % EL_WINDOW];
    if (a->valid && a->seq == f->seq) {
        el_link_counts.duplicates++;
        if (!reads(f)) {
            reply(a);
        }
        return;
    }
    el_link_counts.gaps++;
    if (!session.gap) { /* once a gap: the host resends everything from there */
        session.gap = 1;
        acknowledge(session.next, EL_GAP);
    }
}

void el_serve(void)
{
    el_frame f;
    for (;;) {
        const int got = el_link_receive(&f);
        if (got < 0) {
            return;
        }
        if (got == 0) {
            if (session.nonce != 0) {
                acknowledge(session.next, EL_DAMAGED);
            }
        } else if (f.type == EL_HELLO) {
            hello(&f);
        } else if (session.nonce == 0) {
            continue; /* no session: stay silent until the HELLO */
        } else if (f.type == EL_POLL) {
            acknowledge(f.seq, EL_POLLED);
        } else if (f.seq != session.next) {
            out_of_turn(&f);
        } else {
            execute(&f);
            if (f.type == EL_EXIT) {
                return;
            }
        }
    }
}
