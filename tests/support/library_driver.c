/* Trains with the samples of the library's example and says what came of it: each round's losses, the last prediction,
   the weights, as bytes. The board's pipe, or standard output, carries them. */
#include <stdint.h>

#include "edgelearn.h"
#include "samples.h"

enum { ROUNDS = 3 };

void say(const void *bytes, uint32_t count);

int main(void)
{
    el_begin();
    for (uint32_t i = 0; i < ROUNDS * EXAMPLES; i++) {
        const float loss = el_train(example_samples + (i % EXAMPLES) * EL_SAMPLE_LENGTH, example_targets[i % EXAMPLES]);
        say(&loss, sizeof loss);
    }
    const float loss = el_evaluate(example_samples, example_targets[0]);
    const float none = el_train(example_samples, EL_CLASSES);
    const uint32_t steps = none == none ? 0 : el_steps();
    say(&loss, sizeof loss);
    say(&steps, sizeof steps);
    say(el_infer(example_samples), sizeof(float) * EL_OUTPUT_LENGTH);
    say(el_weights(), EL_WEIGHTS_BYTES);
    return 0;
}
