"""`edgelearn shift`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import data_option, json_option, model_argument
from edgelearn.cli.output import Timer, emit, percent, say, table, tell

if TYPE_CHECKING:
    from edgelearn.cli.shifting import Shifting


@click.command("shift")
@model_argument
@data_option
@click.option("--bits", type=click.IntRange(2, 4), default=3, show_default=True, help="Of a weight.")
@click.option("--layers", metavar="NAMES", help="Which ones, with commas.  [default: all but the first and last]")
@click.option(
    "--init",
    type=click.Choice(("model", "random")),
    default="model",
    show_default=True,
    help="Begin at the model's weights, or learn without them.",
)
@click.option("--epochs", type=click.IntRange(min=0), default=20, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Samples an update.")
@click.option("--lr", type=float, default=0.005, show_default=True, help="Learning rate at first; it falls to zero.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--backend",
    type=click.Choice(("auto", "numpy", "torch")),
    default="auto",
    show_default=True,
    help="What computes: torch is faster on convolutions.",
)
@click.option("--out", metavar="FILE", default="shift.onnx", show_default=True, help="The file to write.")
@click.option("--fresh", is_flag=True, help="Do not go on where an earlier, unfinished call stopped.")
@json_option
def command(as_json: bool, **flags: Any) -> None:
    """Tune weights to signed powers of two: 2 to 4 bits, no products.

    The result is your own ONNX file with weights of --bits bits, tuned on the
    training samples; any runtime runs it. What an interrupted call has done is
    kept beside --out, and the same command goes on from there.
    """
    from edgelearn.cli.shifting import epochs, make_shifting

    work = make_shifting(flags)
    timer = Timer()
    work.tune()
    say(f"tuned {epochs(work.epochs_run)} with {work.backend} in {timer}")
    work.write()
    say(f"wrote {work.out}")
    if as_json:
        emit(work.summary())
        return
    _show(work)


def _show(work: Shifting) -> None:
    layers = [
        (layer.name, layer.op, f"{layer.weights:,}", f"{layer.float_bytes:,}", f"{layer.bytes:,}", f"2^-{layer.k}")
        for layer in work.layers()
    ]
    for line in table(("layer", "op", "weights", "float bytes", "bytes", "unit"), layers, right=(2, 3, 4, 5)):
        tell(line)
    tell()
    course = work.history[:: max(1, len(work.history) // 8)]
    rows = [(str(e.number), f"{e.loss:.4f}", percent(e.changed)) for e in course]
    if rows:
        for line in table(("epoch", "loss", "weights changed"), rows, right=(0, 1, 2)):
            tell(line)
        tell()
    for line in work.verdict():
        tell(line)
