"""What a user can choose about training: flags and edgelearn.toml end up here."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgelearn.errors import InputError, nearest

LEAST_SCALE, MOST_SCALE = 2.0**-16, 2.0**24  # of the loss in fp16
HALF_SETTINGS = ("precision", "rounding", "loss_scale", "scale_every")  # what an FP32 plan knows nothing of
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Training settings.

    method: how to train, a name in edgelearn.methods. train: which layers, `all`, `last` or names with commas; or,
    with blocks, so many of the last inverted residual blocks and all behind them. fraction is the share of a
    layer's input channels that `sparse` trains; exact_derivative keeps `mobiletl` from approximating that of
    hard-swish.

    loss: `auto` is cross-entropy where the model ends in a vector of class scores, binary-cross-entropy where it ends
    in a sigmoid with one output, mean squared error otherwise. One output without a sigmoid may be a logit: say so.
    stablemax is cross-entropy with a softmax that does not saturate (edgelearn.ops.stablemax).
    warmup is in updates; schedule runs over all updates of the run down to min_lr * lr; decay is the share of
    updates in which `wsd` decays. fold_norms folds BatchNorm into the layer before it even where it could be
    trained (less RAM and time, two parameters fewer a channel). samples is the format in which samples travel to
    the board and are kept there: f32, f16, or s8, the integers of an int8 model's input; `auto` is s8 where the
    layers that read a sample run in int8, f32 elsewhere. store is the number of training samples that the board
    keeps in RAM, so that they travel once and not once an epoch. target `sample`: the sample is its own target and
    travels and lies in memory once; `auto` does so where a model reproduces its input under mean squared error.
    recompute is the share of more MACs that may be spent on computing activations a second time instead of keeping
    them.

    int8_prefix: the frozen part of a float model, what no trained weight stands in front of, runs in int8;
    calibrate is how the ranges of its activations are found, over calibration_samples training samples that the
    seed picks (edgelearn.calibrate).

    replay is the number of latents, activations between frozen and trained layers, that the board keeps to train on
    again, replay_ratio of them after each new sample; latents is how float ones are kept, s8 rounded with one scale.
    store_latents: the store keeps latents in place of samples, so that frozen layers run once a sample, not once an
    epoch.

    precision: fp16 computes and keeps weights, activations, gradients and optimizer state in half precision, but for
    what must be float32 (edgelearn.passes.precision); mixed keeps the trained weights in float32. rounding is that of
    weights in fp16. loss_scale, a power of two, is what gradients are multiplied by at first; it halves when one
    overflows and doubles after scale_every clean updates, with 0 it stays.

    multiply: pam multiplies by adding bit patterns, for cores without an FPU (edgelearn.passes.multiply); pam-exact has
    the exact derivatives of that where layers have weights.

    shift_latents: which of the trained layers whose weights are signed powers of two keep them so and train by latents
    (edgelearn.passes.shift_latents): `all`, `last:N`, names with commas, or none; others train as floats.
    latent_size is the root mean square of latents at first: of larger ones a weight turns later.

    save_every: the board saves weights and all that training needs to go on after so many updates, in flash that its
    file sets aside (edgelearn.saving); 0: never. sensor: a C file of the user's gives samples; with standardise the
    board brings each channel to mean 0 and variance 1, with statistics that it gathers itself. bake is the number of
    samples that lie in flash, those to train on first, then those held out.
    """

    method: Literal["full", "last", "bias", "sparse", "mobiletl"] = "full"
    train: str = "all"
    blocks: Annotated[int, Meta(ge=0)] = 0
    fraction: Annotated[float, Meta(gt=0, le=1)] = 0.25
    exact_derivative: bool = False
    loss: Literal["auto", "cross-entropy", "stablemax", "binary-cross-entropy", "mse"] = "auto"
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Positive = 0.01
    momentum: Fraction = 0.0
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    clip_norm: NonNegative = 0.0
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "constant"
    warmup: Annotated[int, Meta(ge=0)] = 0
    decay: Annotated[float, Meta(gt=0, le=1)] = 0.2
    min_lr: Annotated[float, Meta(ge=0, le=1)] = 0.0
    batch: Annotated[int, Meta(ge=1, le=4096)] = 1
    epochs: Annotated[int, Meta(ge=1)] = 5
    seed: Annotated[int, Meta(ge=0)] = 0
    fold_norms: bool = False
    samples: Literal["auto", "f32", "f16", "s8"] = "auto"
    store: Annotated[int, Meta(ge=0)] = 0
    target: Literal["auto", "given", "sample"] = "auto"
    recompute: Annotated[float, Meta(ge=0, le=1)] = 0.0
    int8_prefix: bool = False
    calibrate: Literal["minmax", "percentile", "mse"] = "minmax"
    calibration_samples: Annotated[int, Meta(ge=1)] = 128
    replay: Annotated[int, Meta(ge=0, le=65535)] = 0
    replay_ratio: Annotated[int, Meta(ge=0, le=64)] = 1
    latents: Literal["s8", "f16", "f32"] = "s8"
    store_latents: bool = False
    precision: Literal["fp32", "fp16", "mixed"] = "fp32"
    rounding: Literal["nearest", "stochastic"] = "stochastic"
    loss_scale: Positive = 1024.0
    scale_every: Annotated[int, Meta(ge=0)] = 200
    multiply: Literal["float", "pam", "pam-exact"] = "float"
    shift_latents: str = ""
    latent_size: Positive = 0.1
    save_every: Annotated[int, Meta(ge=0)] = 0
    sensor: bool = False
    standardise: bool = False
    bake: Annotated[int, Meta(ge=0)] = 0

    def with_changes(self, **changes: Any) -> TrainConfig:
        """A copy with some settings changed; None leaves a setting alone. InputError if a value does not fit."""
        merged = msgspec.structs.asdict(self) | {k: v for k, v in changes.items() if v is not None}
        return from_mapping(merged, "the command line")

    @property
    def rule(self) -> str:
        """The update rule's name in passes.update.RULES."""
        return "momentum" if self.optimizer == "sgd" and self.momentum > 0 else self.optimizer


def from_mapping(values: dict[str, Any], where: str) -> TrainConfig:
    """Check settings and make a TrainConfig; InputError names the key that does not fit."""
    try:
        config = msgspec.convert(values, TrainConfig)
    except msgspec.ValidationError as error:
        text = str(error)
        key = text.split("`$.")[1].rstrip("`") if "`$." in text else ""
        if "unknown field" in text:
            names = TrainConfig.__struct_fields__
            wrong = text.split("unknown field `")[1].split("`")[0]
            near = nearest(wrong, names)
            hint = f"{f'did you mean {near}? ' if near else ''}the settings are: {', '.join(names)}"
            raise InputError(f"there is no training setting '{wrong}'", where=where, hint=hint) from None
        message = text.split(" - at ")[0]
        raise InputError(
            f"training setting{f' {key!r}' if key else ''}: {message[0].lower()}{message[1:]}", where=where
        ) from None
    for key, value in msgspec.structs.asdict(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"training setting {key!r}: {value} is not a finite number", where=where)
    if math.frexp(config.loss_scale)[0] != 0.5 or not LEAST_SCALE <= config.loss_scale <= MOST_SCALE:
        raise InputError(
            f"training setting 'loss_scale': {config.loss_scale:g} is no power of two from 2^-16 to 2^24", where=where
        )
    if config.optimizer in ("adam", "adamw") and config.momentum == 0.0:
        config = msgspec.structs.replace(config, momentum=0.9)
    return config
