/* The runtime: schedule, training driver, commands. It knows a model only through el/model.h. */
#ifndef EL_RT_H
#define EL_RT_H

#include <stdint.h>

#include "el/link.h"
#include "el/model.h"

enum { EL_CONSTANT = 0, EL_LINEAR = 1, EL_COSINE = 2, EL_WSD = 3 };

/* Steps are updates, not samples. Every kind starts with a linear warm-up. */
typedef struct {
    float lr;        /* peak */
    float min_ratio; /* where the decay ends, as a part of the peak */
    uint32_t kind;
    uint32_t warmup; /* steps of the warm-up */
    uint32_t total;  /* the step at which the decay has ended */
    uint32_t decay;  /* EL_WSD: steps of the decay */
} el_schedule;

/* Learning rate of the update after `step` updates. */
float el_schedule_lr(const el_schedule *s, uint32_t step);

/* Everything about the run that is not weights or optimizer state. */
typedef struct {
    el_optim optim;
    el_schedule schedule;
    uint32_t step;     /* updates done */
    uint32_t samples;  /* samples trained */
    uint32_t in_batch; /* of those, the ones no update has used yet */
    uint32_t skipped;  /* samples whose loss was not finite */
    float last_loss;
    float mean_loss; /* over about the last 100 trained samples */
    float accuracy;  /* the same of correct predictions; labels only */
} el_run;

extern el_run el_state_of_run;

typedef struct {
    uint16_t status;
    uint16_t flags;
    uint32_t predicted; /* index of the largest output */
    float loss;
    uint32_t step;
    float lr;
    float grad_norm;
    uint32_t samples;
    uint32_t ticks_low; /* two words: the reply cache then needs no 8-byte alignment */
    uint32_t ticks_high;
} el_result;

/* A sample as it travels and is kept: its values in el_model.sample_format, padded to 4 bytes, then the target. */
uint32_t el_sample_bytes(void); /* the values with their padding */
uint32_t el_slot_bytes(void);   /* and the target */

/* Part of a sample into the model's input and target; 0 if it does not lie inside. */
int el_sample_put(uint32_t at, const uint8_t *bytes, uint32_t count);

/* A kept sample into the model's input and target; 0 if there is no such slot. */
int el_sample_load(uint32_t slot);

void el_run_init(void);
el_result el_run_sample(uint32_t op); /* train, evaluate or infer the sample in el_model.input */
el_result el_run_flush(void);         /* update with an incomplete batch; nothing if there is none */

/* Answer commands until the host says EXIT or is gone. */
void el_serve(void);

#endif
