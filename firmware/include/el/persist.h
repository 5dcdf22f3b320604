/* Trained weights, and all that training needs to go on, in flash. The store is cut into slots of whole pages; a save
   fills one that is neither the latest nor the best: first all that is to be kept, then the header, which has the
   checks of it, then the seal. A record with a seal had its header written to the end, so that no cell of it is half
   programmed and reads one way today and another way tomorrow; one without counts only where there is no other.
   docs/PERSISTENCE.md says why nothing is ever lost but the save at hand. */
#ifndef EL_PERSIST_H
#define EL_PERSIST_H

#include <stdint.h>

#include "el/rt.h"

#define EL_RECORD_MAGIC 0x53574C45u /* "ELWS" */

enum { EL_RECORD_VERSION = 1, EL_RECORD_SEAL = 64, EL_SLOTS_MAX = 32, EL_REGIONS_MAX = 5 };

/* At the begin of a slot. Behind it are the seal, EL_RECORD_SEAL bytes with no erased bit, and then the bytes of the
   run's counters and settings, weights, state and what else is kept, one after another. */
typedef struct {
    uint32_t magic;
    uint32_t version;
    uint8_t hash[8];   /* of the plan */
    uint32_t sequence; /* saves ever made, this one included: the largest is the latest */
    uint32_t bytes;    /* behind the seal */
    uint32_t sum;      /* their CRC-32 */
    uint32_t held_out; /* 1: score is a loss on held-out samples, 0: the running mean of training */
    float score;
    uint32_t step;
    uint32_t samples;
    uint32_t spare[4];
    uint32_t check; /* CRC-32 of all above */
} el_record;

_Static_assert(sizeof(el_record) == 64, "a header is whole units of every flash");

/* What the plan says; generated. */
typedef struct {
    uint32_t slots;      /* at most EL_SLOTS_MAX; from three on the best save is kept */
    uint32_t slot_pages; /* pages of each */
    uint32_t every;      /* save after so many steps; 0: only when the host says so */
    uint32_t replay;     /* 1: the replay memory is saved too */
    uint32_t flags;      /* EL_IS_VOLATILE */
} el_persist_plan;

extern const el_persist_plan el_persist;
extern el_saved el_persist_saved;

/* For el_extras. */
void el_persist_boot(void);
void el_persist_updated(void);
uint8_t el_persist_save(uint32_t what, float score);
uint8_t el_persist_restore(uint32_t which);

#endif
