/* Samples that the board takes itself: out of a sensor, through a user's el_port_sample, or out of a set in flash. */
#ifndef EL_SOURCE_H
#define EL_SOURCE_H

#include <stdint.h>

#include "el/rt.h"

/* How many values a channel's statistics look back; fewer at first. */
#define EL_STANDARD_OVER 1048576u

/* Running mean and variance of each channel, kept with the weights: means of all, then variances of all. */
typedef struct {
    uint32_t count; /* values of each channel so far, at most EL_STANDARD_OVER */
    float numbers[];
} el_standard;

/* What the plan says; generated. */
typedef struct {
    el_standard *standard; /* NULL: samples stay as the sensor gives them */
    uint32_t channels;
    const uint8_t *set; /* slots as el_sample_load knows them, one after another; NULL: none */
    uint32_t set_count;
} el_source_plan;

extern const el_source_plan el_source;

/* A sample into the model's input and target, for an operation of EL_OP_; gives a code of an ACK. What is learned from
   counts in the statistics; everything is standardised with them. */
uint8_t el_source_sample(uint32_t op, uint32_t source, uint32_t argument);

/* For el_source_sample; the sensor's half is linked where there is one. */
uint8_t el_sensor_sample(uint32_t op, uint32_t label);
uint8_t el_set_sample(uint32_t index);

#endif
