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

/* What is known of the flash that trained weights are saved in. */
typedef struct {
    uint32_t flags; /* EL_IS_RESTORED, EL_WAS_FOREIGN, EL_WAS_DAMAGED, EL_IS_VOLATILE */
    uint32_t saves; /* ever made */
    uint32_t step;  /* of the latest; 0: there is none */
    uint32_t best_step;
    float best_score; /* its loss */
} el_saved;

/* What a program is built with beyond the runtime; the generated model names it. A function that is NULL is a feature
   that is not there, and its command is refused. They answer with a code of an ACK. */
typedef struct el_extras {
    uint32_t features;                                   /* EL_HAS_STORE, EL_HAS_SENSOR, EL_HAS_SET */
    const el_saved *saved;                               /* NULL without a store */
    el_region kept;                                      /* what the sensor's code wants kept with the weights */
    uint8_t (*command)(const el_frame *f, uint32_t *op); /* el_extras_command */
    void (*boot)(void);    /* go on from what was saved, if there is anything whole of this plan */
    void (*updated)(void); /* after a sample or a flush that gave a step: saves every so many of them */
    uint8_t (*save)(uint32_t what, float score);
    uint8_t (*restore)(uint32_t which);
    uint8_t (*sample)(uint32_t op, uint32_t source, uint32_t argument); /* one into the model's input and target */
} el_extras;

/* A command that the runtime does not know; what is to be done with a sample that it took goes into `op`. */
uint8_t el_extras_command(const el_frame *f, uint32_t *op);

/* Whether the model can do an operation of EL_OP_. */
int el_is_operation(uint32_t op);

/* A sample as it travels and is kept: its values in el_model.sample_format, padded to 4 bytes, then the target. */
uint32_t el_sample_bytes(void); /* the values with their padding */
uint32_t el_slot_bytes(void);   /* and the target */

/* Part of a sample into the model's input and target; 0 if it does not lie inside. */
int el_sample_put(uint32_t at, const uint8_t *bytes, uint32_t count);

/* A kept sample into the model's input and target, or its latents into the cut; 0 if there is no such slot. */
int el_sample_load(uint32_t slot);

/* The latents of the sample in the input, and its target, into a slot; 0 if the store holds samples, or no such slot.
 */
int el_sample_keep(uint32_t slot);

/* The replay memory: a head, a record a class, a scale for each tensor that is rounded to int8, and slots. A slot is
   the tensors of the cut, each padded to 4 bytes, and the label. */
typedef struct {
    uint32_t random; /* state of the generator */
    uint32_t kept;   /* slots in use */
    uint32_t replayed;
    uint32_t ratio; /* latents to train on after each new sample */
} el_replay_head;

typedef struct {
    uint32_t seen; /* samples offered */
    uint16_t held; /* of them, in slots */
    uint16_t full; /* whether it has been among the largest of a full memory */
} el_replay_class;

typedef struct {
    float scale;
    int32_t zero;
} el_replay_scale;

#define EL_NO_SLOT 0xFFFFFFFFu

/* Kept latents to train on after each new sample. */
uint32_t el_replay_ratio(void);

/* What crosses the cut, as it is kept. */
uint32_t el_latents_bytes(void);
void el_latents_keep(uint8_t *to);
void el_latents_recall(const uint8_t *from);

/* Offer what the frozen layers gave for the running sample; the slot that it got, or EL_NO_SLOT. */
uint32_t el_replay_offer(uint32_t label);

/* Some kept latents, but not those in slot `besides`, into the cut, their label into the target, and forward from
   there; 0 if there are none. */
int el_replay_recall(uint32_t besides);

void el_run_init(void);
/* Do EL_OP_ with the sample in el_model.input, or, if it is `cached`, with its latents in the cut. */
el_result el_run_sample(uint32_t op, int cached);

el_result el_run_flush(void); /* update with an incomplete batch; nothing if there is none */

/* Answer commands until the host says EXIT or is gone. */
void el_serve(void);

/* All of it: what main does before it exits. */
void el_program(void);

#endif
