"""The search for what can learn within a job's budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelearn.cli.output import Timer, say
from edgelearn.cli.progress import Progress

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.config import TrainConfig
    from edgelearn.data import Dataset
    from edgelearn.fit import Budget, Fit
    from edgelearn.graph import Graph
    from edgelearn.importance import Choice, Importance
    from edgelearn.plan import Plan


def samples_of(job: Job, graph: Graph, config: TrainConfig) -> Dataset | None:
    """The job's archive for an imported graph, if it names one."""
    from edgelearn.data import load_dataset
    from edgelearn.importance import loss_of

    return load_dataset(job.data, graph, loss_of(graph, config)) if job.data else None


def choice_of(config: TrainConfig, rank: str | None, samples: int | None) -> Choice:
    """How importance is measured: flags over defaults, with the job's own seed."""
    from edgelearn.importance import Choice

    plain = Choice()
    return Choice(rank or plain.rank, samples or plain.samples, config.seed)


def fit_job(
    job: Job, graph: Graph, config: TrainConfig, choice: Choice | None = None, budget: Budget | None = None
) -> tuple[Fit, Importance | None]:
    """The frontier of a job, with the importance of its layers where there are samples to measure it with.

    InputError where nothing fits.
    """
    from edgelearn.errors import EdgelearnError, UsageError
    from edgelearn.fit import Budget, search

    if config.shift_latents:
        raise UsageError(
            "what can learn is not searched for with latents of shifts", where="--shift-latents", hint="leave it out"
        )
    try:
        data = samples_of(job, graph, config)
        importance = None
        if data:
            from edgelearn.cli.ranking import rank_layers

            graph = _ranged(graph, config, data)
            importance = rank_layers(job, graph, config, data, choice or choice_of(config, None, None))
        timer = Timer()
        with Progress("planning") as progress:
            fit = search(
                graph, config, job.board, budget or Budget(job.ram, job.flash), importance, progress=progress
            )  # fmt: skip
    except EdgelearnError as error:
        error.where = error.where or graph.name
        raise
    say(f"looked at {fit.tried} ways to train, planned {fit.made} of them in {timer}")
    return fit, importance


def _ranged(graph: Graph, config: TrainConfig, data: Dataset) -> Graph:
    """A float graph with the ranges of its activations, so that its frozen part may run in int8."""
    from edgelearn.calibrate import calibrate, pick
    from edgelearn.passes.dequantize import is_quantized

    if is_quantized(graph) or graph.meta.get("ranges"):
        return graph
    timer = Timer()
    chosen = data.x_train[pick(len(data.x_train), config.calibration_samples, config.seed)]
    with Progress("calibrating") as progress:
        ranges = calibrate(graph, progress.over(graph.meta["input"].to_device(chosen)), config.calibrate)
    say(f"calibrated by {config.calibrate} over {len(chosen)} training samples in {timer}")
    return graph.replace(meta={**graph.meta, "ranges": ranges})


def fitted(job: Job, graph: Graph, config: TrainConfig, plan: Plan) -> Plan:
    """In place of a plan that does not fit, and of which nobody said what it should train: what fits best."""
    from edgelearn.fit import flags_of

    fit, _ = fit_job(job, graph, config)
    over_ram, _ = plan.over()
    what = f"{plan.ram:,} bytes of RAM" if over_ram > 0 else f"{plan.model_flash:,} bytes of flash"
    flags = flags_of(fit.base, fit.pick.config)
    say(f"training everything needs {what}, more than there is; takes the pick of edgelearn plan --fit: {flags}")
    return fit.pick.plan
