"""Options that several commands share."""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from edgelearn.config import TrainConfig

RANKS = ("fisher", "gradient", "gain")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Size(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on
    """Bytes, with K or M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from edgelearn.cli.settings import parse_size

        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Count(click.ParamType):  # type: ignore[type-arg]
    """A number with K or M for thousands and millions."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().upper()
        factor = {"K": 1e3, "M": 1e6}.get(text[-1:], 1.0)
        try:
            count = float(text.rstrip("KM")) * factor
        except ValueError:
            count = 0.0
        if not 0 < count < 1e18:
            self.fail(f"'{value}' is no number of MACs; they are like 500000 or 5M", param, ctx)
        return count


def choices(setting: str) -> click.Choice[str]:
    """The values that TrainConfig allows for a setting."""
    return click.Choice(typing.get_args(typing.get_type_hints(TrainConfig)[setting]))


def _all(*options: Decorator) -> Decorator:
    return lambda function: reduce(lambda f, option: option(f), reversed(options), function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print data as JSON on stdout.")
_project_option = click.option("--project", metavar="DIR", help="Folder of edgelearn.toml.  [default: this one]")
_model = click.argument("model", required=False)
board_option = click.option("--board", metavar="ID", help="Board, or a board's TOML file.  [default: qemu-m4]")
data_option = click.option(
    "--data",
    metavar="NPZ",
    help="Samples: x_train, y_train, x_test, y_test, and phase_train for phases. Real numbers; to an int8 input,"
    " arrays of type int8 are its own integers.",
)
carrier_option = click.option("--carrier", type=click.Choice(("pipe", "uart")), help="How bytes reach the board.")
port_option = click.option("--port", metavar="PORT", help="Serial port of the board, such as /dev/ttyACM0.")
limit_options = _all(
    click.option("--ram", type=Size(), metavar="SIZE", help="Use no more RAM than this, e.g. 64K."),
    click.option("--flash", type=Size(), metavar="SIZE", help="Use no more flash than this."),
    click.option(
        "--small/--fast", default=None, help="Kernels in portable C alone: less code, mostly slower.  [default: fast]"
    ),
)

model_argument = _all(_model, _project_option)


def out_option(default: str) -> Decorator:
    """`--out` with the folder a command uses when none is named."""
    return click.option("--out", metavar="DIR", help=f"Folder for what it writes.  [default: {default}]")


rank_options = _all(
    click.option("--rank", type=click.Choice(RANKS), help="How layers are ranked by samples.  [default: fisher]"),
    click.option("--rank-samples", type=click.IntRange(min=2), metavar="N", help="With how many.  [default: 256]"),
)
fit_options = _all(
    click.option("--fit", is_flag=True, help="Find what can learn within --ram, --flash and --max-macs."),
    click.option("--max-macs", type=Count(), metavar="N", help="Budget of one training sample, e.g. 5M."),
    click.option("--max-insn", type=Count(), metavar="N", help="The same in instructions, where costs are recorded."),
    rank_options,
    click.option("--plot", metavar="FILE", help="Draw what --fit found, .svg or .html."),
    click.option("--write", is_flag=True, help="Write what --fit picks into edgelearn.toml."),
)
train_options = _all(
    click.option("--method", type=choices("method"), help="How to train.  [default: full]"),
    click.option("--train", metavar="WHAT", help="all, last, layers with commas, or LAYER.. and all behind it."),
    click.option("--blocks", type=int, metavar="N", help="Train the last N inverted residual blocks and what follows."),
    click.option("--fraction", type=float, help="Share of input channels that sparse trains.  [default: 0.25]"),
    click.option(
        "--exact-derivative/--signed-derivative", default=None, help="Of hard-swish, in mobiletl.  [default: signed]"
    ),
    click.option("--loss", type=choices("loss")),
    click.option("--optimizer", type=choices("optimizer")),
    click.option("--lr", type=float, help="Learning rate."),
    click.option("--momentum", type=float, help="Momentum of SGD; beta 1 of Adam."),
    click.option("--beta2", type=float, help="Beta 2 of Adam."),
    click.option("--epsilon", type=float, help="Epsilon of Adam."),
    click.option("--weight-decay", type=float),
    click.option("--clip-norm", type=float, help="Clip gradients to this global norm."),
    click.option("--schedule", type=choices("schedule"), help="Course of the learning rate."),
    click.option("--warmup", type=int, help="Updates until the full learning rate."),
    click.option("--decay", type=float, help="Share of updates in which wsd decays."),
    click.option("--min-lr", type=float, help="Where the schedule ends, as a share of --lr."),
    click.option("--batch", type=int, help="Samples per update."),
    click.option("--epochs", type=int),
    click.option("--seed", type=int, help="Order of the samples."),
    click.option(
        "--samples",
        type=choices("samples"),
        help="Format in which samples travel and are kept: f32, f16, or s8, the integers of an"
        " int8 model or prefix.  [default: s8 where the layers that read them run in int8, else f32]",
    ),
    click.option("--store", type=int, metavar="N", help="Keep N training samples in the board's RAM."),
    click.option(
        "--replay",
        type=int,
        metavar="N",
        help="Keep latents of N samples, what the frozen layers give for them, on the board, and train on them again"
        " beside new samples.",
    ),
    click.option("--replay-ratio", type=int, metavar="K", help="Kept latents to train on after each new sample."),
    click.option("--latents", type=choices("latents"), help="How latents of float layers are kept."),
    click.option(
        "--store-latents/--store-samples",
        default=None,
        help="Keep latents in place of samples, so that frozen layers run once a sample.",
    ),
    click.option("--target", type=choices("target"), help="Whether an autoencoder's sample is its own target."),
    click.option("--recompute", type=float, metavar="SHARE", help="Spend up to SHARE more MACs on less RAM, e.g. 0.2."),
    click.option(
        "--precision",
        type=choices("precision"),
        help="fp16: weights, activations, gradients in half precision; mixed: trained weights in float32."
        "  [default: fp32]",
    ),
    click.option("--rounding", type=choices("rounding"), help="Of trained weights in fp16.  [default: stochastic]"),
    click.option("--loss-scale", type=float, help="Of gradients in half precision, at first.  [default: 1024]"),
    click.option(
        "--scale-every",
        type=int,
        metavar="N",
        help="Double it after N updates without overflow; 0: it stays.  [default: 200]",
    ),
    click.option(
        "--multiply",
        type=choices("multiply"),
        help="pam: multiply by adding bit patterns, on cores without an FPU; pam-exact: with exact derivatives."
        "  [default: float]",
    ),
    click.option(
        "--shift-latents",
        metavar="WHAT",
        help="Trained layers that are shifts and stay so, by latents in RAM: all, last:N, or layers with commas.",
    ),
    click.option(
        "--latent-size", type=float, help="Of latents at first; weights with larger ones turn later.  [default: 0.1]"
    ),
    click.option(
        "--save-every", type=int, metavar="N", help="Save weights in the board's flash every N updates.  [default: 0]"
    ),
    click.option(
        "--standardise/--raw",
        default=None,
        help="Samples of a sensor: to mean 0 and variance 1 by statistics that the board gathers.  [default: raw]",
    ),
    click.option("--fold-norms/--keep-norms", default=None, help="Fold BatchNorm into the layer before it."),
    click.option(
        "--int8-prefix/--float-prefix", default=None, help="Run the frozen part of a float model in int8; needs --data."
    ),
    click.option("--calibrate", type=choices("calibrate"), help="How ranges for int8 are found.  [default: minmax]"),
    click.option("--calibration-samples", type=int, metavar="N", help="Find them over N samples.  [default: 128]"),
)

source_options = _all(
    click.option("--bake", "bake_file", metavar="NPZ", help="Put these samples into flash and use them as --data."),
    click.option("--sensor", "sensor_file", metavar="FILE.c", help="C with el_port_sample: the board's own samples."),
)
# What `run` and `test` have in common; `test` has limits of its own between the two.
session_options = _all(model_argument, data_option, board_option, carrier_option, out_option("out"))
course_options = _all(limit_options, train_options, json_option)
