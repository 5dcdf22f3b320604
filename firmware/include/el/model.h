/* What a generated model offers the runtime. One model per image; everything is static. */
#ifndef EL_MODEL_H
#define EL_MODEL_H

#include <stdint.h>

/* Optimizer settings of the running step. `lr` comes out of the schedule; the host sets the rest. */
typedef struct {
    float lr;           /* learning rate of this step */
    float momentum;     /* momentum, or Adam's beta 1 */
    float beta2;        /* Adam's beta 2 */
    float epsilon;      /* Adam's epsilon */
    float weight_decay; /* L2 for SGD, decoupled for AdamW */
    float clip_norm;    /* limit of the global gradient norm; 0: no limit */
    float grad_scale;   /* out: factor that the clip asks for, 1 without */
    float grad_norm;    /* out: global norm before clipping; 0 if not computed */
    float bias1;        /* Adam's 1 - beta1^t, kept by the runtime */
    float bias2;        /* Adam's 1 - beta2^t, kept by the runtime */
} el_optim;

typedef struct {
    void *data;
    uint32_t bytes;
} el_region;

enum { EL_SAMPLE_F32 = 0, EL_SAMPLE_F16 = 1, EL_SAMPLE_S8 = 2 }; /* how a sample travels and is stored */
enum { EL_TARGET_LABEL = 0, EL_TARGET_VECTOR = 1, EL_TARGET_SAMPLE = 2 };

/* A tensor of the cut between frozen and trained layers, and how a kept copy of it stands in memory: an int8 tensor as
   it is, a float one rounded to int8 or f16, or as it is. */
enum { EL_LATENT_INTEGERS = 0, EL_LATENT_S8 = 1, EL_LATENT_F16 = 2, EL_LATENT_F32 = 3 };

typedef struct {
    void *data;     /* in the arena */
    uint32_t count; /* elements */
    uint32_t kept;
    uint32_t half; /* 1: f16 in the arena */
} el_latent;

/* What the loss scale needs from one update to the next, as floats in the optimizer's state. */
enum {
    EL_SCALE = 0,    /* what every gradient is multiplied by, a power of two */
    EL_OVERFLOW = 1, /* of the running update: 1 once a gradient was not finite */
    EL_CLEAN = 2,    /* updates since the scale changed, or one was left out */
    EL_SKIPPED = 3,  /* updates that were left out */
    EL_UPDATES = 4,  /* updates, also those: what rounding at random starts from */
    EL_SCALING = 5
};
#define EL_LEAST_SCALE 1.52587890625e-5f /* 2^-16 */
#define EL_MOST_SCALE 16777216.0f        /* 2^24 */
#define EL_MOST_UPDATES 16777215.0f      /* then they are counted from zero again */

struct el_extras; /* el/rt.h */

typedef struct {
    uint8_t hash[8];  /* of the plan; the host refuses a stale image */
    el_region input;  /* one sample, channels-last: int8 in EL_SAMPLE_S8, f16 with half_input, else f32 */
    el_region target; /* u32 label, or f32 vector; empty where the sample is its own */
    el_region output; /* prediction, f32; valid until the backward pass */
    el_region params; /* trained weights, f32, in the plan's order */
    el_region state;  /* optimizer state and accumulated gradients */
    el_region store;  /* kept samples, slot after slot: the sample, padded to 4 bytes, then its target */
    uint32_t sample_format;
    uint32_t batch; /* samples an update */
    uint32_t target_kind;
    float threshold; /* with labels, a single output is class 1 above it */
    /* What is kept of the latents; all zero where nothing is. */
    el_region replay;        /* el_replay_head and what follows it (el/rt.h) */
    uint32_t stores_latents; /* 1: a slot of the store holds the latents of a sample in place of the sample */
    uint32_t replay_slots;
    uint32_t classes; /* labels are below */
    const el_latent *latents;
    uint32_t latent_count;
    void (*prefix)(void); /* el_model_forward up to the latents, which only the head may overwrite */
    void (*head)(void);   /* and from there on */
    /* Where gradients are halves. */
    const float *scaling; /* see EL_SCALING; NULL where there are none */
    uint32_t half_input;  /* 1: the input is f16 */
    /* Flash for trained weights, samples of the board's own. */
    const struct el_extras *extras; /* NULL where there are none */
} el_model_info;

extern const el_model_info el_model;

void el_model_reset(void);           /* weights as built, state zero */
void el_model_forward(void);         /* input -> output */
float el_model_loss(void);           /* after forward: loss of output against target */
void el_model_backward(el_optim *o); /* after loss: gradients; batch 1: the update too */
void el_model_update(el_optim *o);   /* once a batch; empty where backward updates */

#endif
