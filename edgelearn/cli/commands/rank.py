"""`edgelearn rank`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import data_option, json_option, model_argument, out_option, rank_options, train_options
from edgelearn.cli.output import bar, emit, table, tell, wrap

if TYPE_CHECKING:
    from edgelearn.importance import Importance

NAME = 22  # letters of a layer's name
HEADS = {
    "fisher": "mean over samples of the sum of squared gradients",
    "gradient": "norm of the mean gradient relative to that of the weights",
    "gain": "by how much the loss on the other half of the samples falls when the layer trains alone",
}


@click.command("rank")
@model_argument
@data_option
@rank_options
@out_option("out")
@train_options
@json_option
def command(as_json: bool, rank: str | None, rank_samples: int | None, **flags: Any) -> None:
    """Show what each layer is worth training, measured with your samples.

    Looks at training samples only. What was measured is kept in .edgelearn in
    the output folder, and read from there when nothing has changed.
    """
    import msgspec

    from edgelearn.cli.fitting import choice_of, samples_of
    from edgelearn.cli.pipeline import import_job
    from edgelearn.cli.ranking import rank_layers
    from edgelearn.cli.settings import make_job
    from edgelearn.errors import UsageError
    from edgelearn.passes.quantize import NO_SAMPLES

    job = make_job(flags)
    if job.data is None:
        raise UsageError("layers are ranked with samples, and none are given", hint=NO_SAMPLES)
    graph, config = import_job(job)
    data = samples_of(job, graph, config)
    assert data is not None
    found = rank_layers(job, graph, config, data, choice_of(config, rank, rank_samples))
    if as_json:
        emit({"model": str(job.model), **msgspec.to_builtins(found)})
        return
    for line in _lines(found):
        tell(line)


def _lines(found: Importance) -> list[str]:
    most = max((abs(layer.value) for layer in found.layers), default=0.0) or 1.0
    right = found.rank == "gain" and any(layer.accuracy is not None for layer in found.layers)
    rows = [
        (
            layer.name[:NAME],
            layer.op,
            f"{layer.weights:,}",
            f"{layer.value:.4g}",
            *((f"{layer.accuracy or 0:+.3f}",) if right else ()),
            bar(max(layer.value, 0) / most, 20),
        )
        for layer in found.ranked()
    ]
    heads = ("layer", "op", "weights", found.rank, *(("accuracy",) if right else ()), "")
    note = wrap(f"{found.rank}: {HEADS[found.rank]}; {found.samples:,} samples, seed {found.seed}")
    return [*table(heads, rows, right=(2, 3, 4) if right else (2, 3)), "", *note]
