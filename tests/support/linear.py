"""A model small enough to write by hand: y = W x + b, loss = sum (y - t)^2 / 2, plain SGD on gathered gradients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_C = """#include "el/model.h"

enum {{ INPUTS = {inputs}, OUTPUTS = {outputs}, BATCH = {batch}, PARAMS = OUTPUTS * INPUTS + OUTPUTS, HOLD = {hold} }};

extern const float el_initial[PARAMS];
extern float el_params[PARAMS];
extern float el_state[PARAMS];
extern uint8_t el_arena[16 + 4 * (INPUTS + 3 * OUTPUTS)];

const float el_initial[PARAMS] = {{{initial}}};
_Alignas(16) float el_params[PARAMS];
_Alignas(16) float el_state[PARAMS];
_Alignas(16) uint8_t el_arena[16 + 4 * (INPUTS + 3 * OUTPUTS)];

static float *const x = (float *)(void *)el_arena;
static float *const y = (float *)(void *)el_arena + INPUTS;
static float *const e = (float *)(void *)el_arena + INPUTS + OUTPUTS;
static uint32_t *const label = (uint32_t *)(void *)(el_arena + 4 * (INPUTS + 2 * OUTPUTS));

const el_model_info el_model = {{
    .hash = {{{hash}}},
    .input = {{el_arena, 4 * INPUTS}},
    .target = {{el_arena + 4 * (INPUTS + 2 * OUTPUTS), 4}},
    .output = {{el_arena + 4 * INPUTS, 4 * OUTPUTS}},
    .params = {{el_params, 4 * PARAMS}},
    .state = {{el_state, 4 * PARAMS}},
    .batch = BATCH,
    .target_kind = EL_TARGET_LABEL,
}};

void el_model_reset(void)
{{
    for (uint32_t i = 0; i < PARAMS; i++) {{
        el_params[i] = el_initial[i];
        el_state[i] = 0.0f;
    }}
}}

void el_model_forward(void)
{{
    for (volatile int32_t k = 0; k < HOLD; k++) {{
    }}
    for (uint32_t o = 0; o < OUTPUTS; o++) {{
        float sum = el_params[OUTPUTS * INPUTS + o];
        for (uint32_t i = 0; i < INPUTS; i++) {{
            sum += el_params[o * INPUTS + i] * x[i];
        }}
        y[o] = sum;
    }}
}}

float el_model_loss(void)
{{
    float loss = 0.0f;
    for (uint32_t o = 0; o < OUTPUTS; o++) {{
        e[o] = y[o] - (o == *label ? 1.0f : 0.0f);
        loss += 0.5f * e[o] * e[o];
    }}
    return loss;
}}

void el_model_backward(el_optim *o)
{{
    const float scale = 1.0f / (float)BATCH;
    (void)o;
    for (uint32_t k = 0; k < OUTPUTS; k++) {{
        for (uint32_t i = 0; i < INPUTS; i++) {{
            el_state[k * INPUTS + i] += scale * e[k] * x[i];
        }}
        el_state[OUTPUTS * INPUTS + k] += scale * e[k];
    }}
}}

void el_model_update(el_optim *o)
{{
    for (uint32_t i = 0; i < PARAMS; i++) {{
        el_params[i] -= o->lr * el_state[i];
        el_state[i] = 0.0f;
    }}
}}
"""


@dataclass
class LinearModel:
    """The C text of the model, and the same training in numpy. `hold`: idle turns that make a sample slow."""

    inputs: int = 6
    outputs: int = 3
    batch: int = 1
    hash: bytes = bytes.fromhex("1122334455667788")
    hold: int = 0
    seed: int = 0
    initial: np.ndarray = field(init=False)
    params: np.ndarray = field(init=False)
    state: np.ndarray = field(init=False)
    in_batch: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        count = self.outputs * self.inputs + self.outputs
        self.initial = rng.normal(0, 0.1, count).astype(np.float32)
        self.params, self.state = self.initial.copy(), np.zeros(count, np.float32)

    def sources(self) -> dict[str, str]:
        text = _C.format(
            inputs=self.inputs,
            outputs=self.outputs,
            batch=self.batch,
            hold=self.hold,
            hash=", ".join(map(str, self.hash)),
            initial=", ".join(f"{float(v)!r}f" for v in self.initial),
        )
        return {"model.c": text}

    def samples(self, count: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
        rng = np.random.default_rng(seed)
        x = rng.normal(0, 1, (count, self.inputs)).astype("<f4")
        t = rng.integers(0, self.outputs, count).astype("<u4")
        return [(a.tobytes(), b.tobytes()) for a, b in zip(x, t, strict=True)]

    def output(self, sample: bytes) -> np.ndarray:
        x = np.frombuffer(sample, "<f4")
        weights = self.params[: -self.outputs].reshape(self.outputs, self.inputs)
        return weights @ x + self.params[-self.outputs :]

    def train(self, sample: bytes, target: bytes, lr: float) -> float:
        x = np.frombuffer(sample, "<f4")
        error = self.output(sample)
        error[int.from_bytes(target, "little")] -= 1
        self.state += np.concatenate([np.outer(error, x).reshape(-1), error]) / np.float32(self.batch)
        self.in_batch += 1
        if self.in_batch == self.batch:
            self.update(lr)
        return float(0.5 * (error**2).sum())

    def update(self, lr: float) -> None:
        self.params -= np.float32(lr) * self.state
        self.state[:] = 0
        self.in_batch = 0
