"""The stages that several commands go through, each with its status line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgelearn.cli.output import Timer, percent, say

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.config import TrainConfig
    from edgelearn.cut import Cut
    from edgelearn.data import Dataset
    from edgelearn.graph import Graph
    from edgelearn.plan import Plan

MOST_BEYOND = 0.1  # the share of values outside of an int8 input's range from which on a word is due


def import_job(job: Job) -> tuple[Graph, TrainConfig]:
    """The job's model, and its settings as the archive completes them."""
    from edgelearn.data import has_other_targets
    from edgelearn.importers import load

    timer = Timer()
    graph = load(job.model)
    for warning in graph.meta.get("warnings", ()):
        say(f"warning: {warning}")
    say(f"imported {job.model.name}: {len(graph.nodes)} layers in {timer}")
    if job.config.int8_prefix:
        graph = _calibrated(job, graph)
    config = job.config
    if config.target == "auto" and job.data is not None and has_other_targets(job.data):
        config = config.with_changes(target="given")
    if job.bake:
        config = config.with_changes(bake=_count(job))
    return graph, config


def _count(job: Job) -> int:
    """How many samples go into flash; UsageError if no data is named."""
    from edgelearn.data import count_samples
    from edgelearn.errors import UsageError

    if job.data is None:
        raise UsageError("no samples are given to put into flash", hint="--bake samples.npz")
    return count_samples(job.data)


def plan_job(job: Job, *, instead: bool = False) -> Plan:
    """Import the model and plan it; `instead` of everything what fits, where nobody said what trains."""
    from edgelearn.cli.fitting import fitted
    from edgelearn.plan import compile_model

    graph, config = import_job(job)
    timer = Timer()
    otherwise = partial(fitted, job, graph, config) if instead and not job.named and not config.shift_latents else None
    plan = compile_model(graph, config, job.board, ram=job.ram, flash=job.flash, otherwise=otherwise)
    say(f"planned for {job.board.id}: {plan.ram:,} bytes of RAM, {len(plan.schedule.steps)} steps in {timer}")
    return plan


def _calibrated(job: Job, graph: Graph) -> Graph:
    """The graph with the ranges of its activations over training samples; UsageError if no data is named."""
    from edgelearn.calibrate import calibrate, pick
    from edgelearn.data import load_dataset
    from edgelearn.errors import UsageError
    from edgelearn.passes.dequantize import is_quantized
    from edgelearn.passes.differentiate import choose_loss
    from edgelearn.passes.quantize import NO_SAMPLES

    if is_quantized(graph):
        return graph  # which the planner refuses
    if job.data is None:
        raise UsageError("the int8 prefix needs samples to calibrate it with", where="--int8-prefix", hint=NO_SAMPLES)
    timer, config = Timer(), job.config
    samples = load_dataset(job.data, graph, choose_loss(graph, config.loss)).x_train
    chosen = samples[pick(len(samples), config.calibration_samples, config.seed)]
    ranges = calibrate(graph, graph.meta["input"].to_device(chosen), config.calibrate)
    say(f"calibrated by {config.calibrate} over {len(chosen)} training samples in {timer}")
    return graph.replace(meta={**graph.meta, "ranges": ranges})


def compare_prefix(plan: Plan, data: Dataset) -> Cut | None:
    """The model with its int8 prefix beside the same in float32; None where it has none of ours."""
    from edgelearn.cut import measure_cut

    if not plan.config.int8_prefix:
        return None
    timer = Timer()
    cut = measure_cut(plan, data)
    say(f"compared the int8 prefix with float32 on {cut.int8.samples:,} held-out samples in {timer}")
    return cut


def load_data(job: Job, plan: Plan) -> Dataset:
    """The samples of the job; UsageError if none are named."""
    from edgelearn.cli.targets import target_notes
    from edgelearn.errors import UsageError

    if job.data is None:
        raise UsageError("no data is given", hint="--data samples.npz, with arrays x_train, y_train, x_test and y_test")
    data = read_data(job.data, plan.imported, str(plan.graph.meta["loss"]))
    for line in target_notes(plan, data, chosen=job.config.loss == "auto"):
        say(line)
    spare = plan.config.store - len(data.x_train)
    if spare > 0:
        say(f"warning: --store {plan.config.store}, but there are {len(data.x_train):,} samples to train on:")
        say(f"  {spare * plan.slot_bytes:,} bytes of RAM stay empty")
    return data


def read_data(path: Path, graph: Graph, loss: str) -> Dataset:
    """The samples of an archive for an imported model."""
    from edgelearn.data import beyond, load_dataset

    data = load_dataset(path, graph, loss)
    integers = f"; {', '.join(data.integers)} as the model's own integers" if data.integers else ""
    say(f"read {path.name}: {len(data.x_train):,} samples to train on, {len(data.x_test):,} held out{integers}")
    found = beyond(data.x_train, graph)
    if found and found[0] > MOST_BEYOND:
        low, high = found[1]
        say(f"warning: {percent(found[0])} of x_train is outside {low:.4g}..{high:.4g}, what the int8 input can hold")
    return data
