"""The stages that several commands go through, each with its status line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgelearn.cli.output import Timer, percent, say

if TYPE_CHECKING:
    from edgelearn.build.image import Image
    from edgelearn.cli.settings import Job
    from edgelearn.data import Dataset
    from edgelearn.graph import Graph
    from edgelearn.plan import Plan

MOST_BEYOND = 0.1  # the share of values outside of an int8 input's range from which on a word is due


def plan_job(job: Job) -> Plan:
    """Import the model and plan it."""
    from edgelearn.importers import load
    from edgelearn.plan import compile_model

    timer = Timer()
    graph = load(job.model)
    for warning in graph.meta.get("warnings", ()):
        say(f"warning: {warning}")
    say(f"imported {job.model.name}: {len(graph.nodes)} layers in {timer}")
    timer = Timer()
    plan = compile_model(graph, job.config, job.board, ram=job.ram, flash=job.flash)
    say(f"planned for {job.board.id}: {plan.ram:,} bytes of RAM, {len(plan.schedule.steps)} steps in {timer}")
    return plan


def load_data(job: Job, plan: Plan) -> Dataset:
    """The samples of the job; UsageError if none are named."""
    from edgelearn.errors import UsageError

    if job.data is None:
        raise UsageError("no data is given", hint="--data samples.npz, with arrays x_train, y_train, x_test and y_test")
    return read_data(job.data, plan.imported, str(plan.graph.meta["loss"]))


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


def check_tools(job: Job) -> None:
    """ToolError right away if the compiler or the emulator of the job's board is missing."""
    from edgelearn.build import find_compiler, find_emulator

    find_compiler(job.board)
    if job.board.emulated:
        find_emulator(job.board)


def build_plan(job: Job, plan: Plan, folder: Path) -> Image:
    """Write the C, compile it, and hold the image to the plan."""
    from edgelearn.build import build_image
    from edgelearn.build.verify import verify_image
    from edgelearn.cli.files import lock_folder
    from edgelearn.codegen import generate

    timer = Timer()
    sources = generate(plan)
    lock_folder(folder)
    image = build_image(sources.files, job.board, folder, carrier=job.carrier, kernel_sources=list(sources.kernels))
    verify_image(plan, image)
    say(
        f"built {folder / 'image.elf'}: {image.flash.total:,} bytes of flash, {plan.ram:,} of RAM,"
        f" as planned, in {timer}"
    )
    return image
