"""Building at the terminal: who compiles, what is written, and how a program gets onto a board."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgelearn.cli.output import Timer, say

if TYPE_CHECKING:
    import numpy as np

    from edgelearn.boards import Board
    from edgelearn.build.image import Image
    from edgelearn.cli.settings import Job
    from edgelearn.codegen import Sources
    from edgelearn.plan import Plan

MOST_EXAMPLES = 8  # samples that come with a library's example, at most
BUILDERS = ("system", "platformio")
PLAN_FILE = "plan.json"  # in every build's folder, for who watches the board later
LIBRARY_FILE = "library.properties"  # in every library's folder
BOARD_FILE = "board.json"  # and the board, which may have been described by a file of the user's own
PORT_COMES_BACK = 10.0  # seconds that a board which is its own USB device may be away after it was loaded


def check_tools(job: Job, builder: str | None = None, *, starts: bool = True) -> str:
    """Who compiles for the job's board; ToolError right away if that one, or the emulator that `starts` it, is missing.

    A board with a framework is PlatformIO's. Else it is the compiler that is installed, and PlatformIO where there is
    none; `builder` asks for one of the two.
    """
    from edgelearn.build import find_emulator
    from edgelearn.errors import UsageError

    board = job.board
    if starts and not board.emulated and board.arch != "host":
        raise UsageError(f"nothing emulates {board.id}", hint="edgelearn run trains on the real board")
    chosen = _builder(board, builder)
    if starts and board.emulated:
        find_emulator(board, say)
    return chosen


def _builder(board: Board, wanted: str | None) -> str:
    from edgelearn.build import find_compiler
    from edgelearn.build.pio import find_pio
    from edgelearn.errors import ToolError, UsageError

    if board.framework and wanted == "system":
        reason = f"{board.id} is built with the {board.framework} framework, which PlatformIO brings"
        raise UsageError(reason, hint="leave --builder out")
    if not board.framework and wanted != "platformio":
        try:
            find_compiler(board)
            return "system"
        except ToolError:
            if wanted == "system" or board.platformio is None:
                raise
    find_pio()
    return "platformio"


def build_plan(job: Job, plan: Plan, folder: Path, *, builder: str = "system", overwrite: bool = False) -> Image:
    """Write a PlatformIO project, compile it, and hold the image to the plan, whose figures stay beside it.

    `overwrite` replaces files of it that somebody has changed.
    """
    from edgelearn.build import build_image
    from edgelearn.build.pio import compile_project
    from edgelearn.build.verify import verify_image
    from edgelearn.cli.files import lock_folder

    timer = Timer()
    sources = program(job, plan, folder)
    lock_folder(folder)
    write_project(job, plan, folder, overwrite=overwrite)
    board = plan.board  # without the flash that its saves are in
    if builder == "platformio" and board.platformio:
        say(f"PlatformIO builds for {board.id}; what it needs is downloaded once, which may take minutes")
    with sensor_errors(job, folder):
        if builder == "platformio":
            image = compile_project(folder, board, job.carrier or board.carrier)
        else:
            image = build_image(sources.files, board, folder, carrier=job.carrier, kernel_sources=list(sources.kernels))
    verify_image(plan, image)
    elf = folder / "image.elf" if builder == "system" else image.elf
    say(f"built {elf}: {image.flash.total:,} bytes of flash, {plan.ram:,} of RAM, as planned, in {timer}")
    return image


def program(job: Job, plan: Plan, folder: Path) -> Sources:
    """The C of a plan for `folder`, and the files that bring samples of its own: the user's sensor, a set in flash."""
    from edgelearn.build.compile import copied
    from edgelearn.codegen import baked, generate
    from edgelearn.errors import InputError

    sources, more = generate(plan), dict[str, str]()
    if job.sensor:
        try:
            more["sensor.c"] = copied(job.sensor.read_text(encoding="utf-8-sig"), job.sensor, folder)
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is no UTF-8 text"
            raise InputError(f"the sensor's C file can't be read: {reason}", where=str(job.sensor)) from None
    elif plan.config.sensor:
        raise InputError("there is no C file of a sensor", where="sensor", hint="--sensor FILE.c, with el_port_sample")
    if plan.config.bake:
        more |= baked(_slots(job, plan))
    return dataclasses.replace(sources, files={**sources.files, **more})


@contextlib.contextmanager
def sensor_errors(job: Job, folder: Path) -> Iterator[None]:
    """Errors of a build in `folder` name the sensor's file as the user did, and say what it lacks."""
    from edgelearn.errors import ToolError

    try:
        yield
    except ToolError as error:
        if job.sensor:
            if error.message.startswith("sensor.c "):
                error.message = job.sensor.name + error.message.removeprefix("sensor.c")
            seen = f"{os.path.relpath(job.sensor, folder)}:"
            error.details = tuple(line.replace(seen, f"{job.sensor}:") for line in error.details)
            if any("el_port_" in line for line in error.details if "undefined" in line):
                error.hint = f"{job.sensor} has to define what is undefined; docs/SENSORS.md says what it does"
        raise


def _slots(job: Job, plan: Plan) -> list[bytes]:
    """The samples that go into flash, as they would travel."""
    from edgelearn.cli.pipeline import load_data
    from edgelearn.session import encode

    data = load_data(job, plan)
    pairs = (*encode(plan, data.x_train, data.y_train).wire, *encode(plan, data.x_test, data.y_test).wire)
    return [sample + target for sample, target in pairs]


def write_project(job: Job, plan: Plan, folder: Path, *, overwrite: bool = False) -> None:
    """Write the model as a PlatformIO project, with the plan's figures; InputError if a file of it was edited."""
    from edgelearn import boards
    from edgelearn.build.keep import write_generated, write_once
    from edgelearn.build.platformio import make_project
    from edgelearn.cli.files import write_text
    from edgelearn.report import plan_figures

    _check_kind(folder, LIBRARY_FILE, "a library")
    sources = program(job, plan, folder)
    carrier = job.carrier or job.board.carrier
    made = make_project(sources.files, plan.board, carrier=carrier, kernels=sources.kernels, title=plan.graph.name)
    write_generated(folder, made.generated, force=overwrite)
    write_once(folder, made.own)
    write_text(folder / PLAN_FILE, json.dumps(plan_figures(plan), indent=1, allow_nan=False) + "\n")
    write_text(folder / BOARD_FILE, boards.to_json(plan.board))


def library_job(job: Job, *, named: bool) -> Job:
    """The job of a library: for every core, unless a board is `named`; one memory, and samples are the sketch's."""
    from edgelearn import boards
    from edgelearn.build.library import board_for_library

    board = job.board if named else boards.load("host")
    config = job.config.with_changes(store=0, store_latents=False)
    return dataclasses.replace(job, board=board_for_library(board), config=config)


def write_library(job: Job, plan: Plan, folder: Path, *, overwrite: bool = False) -> None:
    """Write the model as a library for Arduino and PlatformIO; its example has samples if data is named."""
    from edgelearn.build.keep import write_generated
    from edgelearn.build.library import make_library
    from edgelearn.cli.files import lock_folder

    _check_kind(folder, BOARD_FILE, "a project")
    files = make_library(plan, _examples(job, plan))
    lock_folder(folder)
    write_generated(folder, files, force=overwrite)


def _check_kind(folder: Path, mark: str, kind: str) -> None:
    """UsageError where the other kind of folder was written before: its sources would be compiled too."""
    from edgelearn.errors import UsageError

    if (folder / mark).is_file():
        raise UsageError(f"this folder holds {kind}", where=str(folder), hint="give another --out")


def _examples(job: Job, plan: Plan) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training samples in device layout with their targets: of classes by turns, so that a few show them all."""
    import numpy as np

    from edgelearn.cli.pipeline import load_data
    from edgelearn.session import encode
    from edgelearn.verdict import takes_labels

    if job.data is None:
        return []
    data = load_data(job, plan)
    order = np.arange(len(data.x_train))
    if takes_labels(str(plan.graph.meta["loss"])):
        turn = np.zeros(len(order), np.int64)
        for label in np.unique(data.y_train):
            members = data.y_train == label
            turn[members] = np.arange(members.sum())
        order = np.lexsort((data.y_train, turn))
    chosen = order[:MOST_EXAMPLES]
    samples = encode(plan, data.x_train[chosen], data.y_train[chosen])
    x = plan.graph.meta["input"].to_device(data.x_train[chosen]).astype(np.float32)
    return list(zip(x, samples.y, strict=True))


def project_board(folder: Path) -> Board:
    """The board of a project that was written before; InputError if there is no project of ours."""
    from edgelearn import boards
    from edgelearn.errors import InputError

    try:
        return boards.from_json((folder / BOARD_FILE).read_bytes())
    except (OSError, ValueError):
        raise InputError(
            "there is no project of edgelearn's here",
            where=str(folder),
            hint="edgelearn build MODEL --board BOARD writes one, into build/ if no --out is given",
        ) from None


def check_loadable(board: Board) -> None:
    """UsageError for a board that nothing is loaded onto."""
    from edgelearn.errors import UsageError

    if board.platformio is None:
        what = "is emulated" if board.emulated else "is this computer"
        raise UsageError(f"{board.id} {what}: nothing is loaded onto it", hint="edgelearn run starts the program")


def verify_project(folder: Path, board: Board) -> None:
    """Compile a project with PlatformIO and hold what is loaded to the plan beside it; InputError if it is not that."""
    from edgelearn.build.pio import compile_project
    from edgelearn.build.verify import verify_figures
    from edgelearn.cli.watching import read_plan

    timer = Timer()
    figures = read_plan(folder / PLAN_FILE)
    image = compile_project(folder, board, board.carrier)
    verify_figures(figures, image)
    say(f"built {image.elf}: {image.flash.total:,} bytes of flash, as planned, in {timer}")


def load_program(folder: Path, board: Board, port: str | None) -> None:
    """Load a project's program onto its board, which PlatformIO does, and wait until its port is there again."""
    from edgelearn.build.pio import run_pio

    timer = Timer()
    upload = port if port and "://" not in port else None
    run_pio(folder, "upload", board=board.id, local=False, port=upload)
    say(f"loaded {folder.name} onto {board.id} in {timer}")
    deadline = time.monotonic() + PORT_COMES_BACK
    while upload and not Path(upload).exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def check_saving(job: Job, port: str | None, restore: bool | None, *, best: bool = False) -> bool | None:
    """Whether a run restores; UsageError if it can't save, or restore, as was asked for."""
    from edgelearn.errors import UsageError

    if best and restore is False:
        raise UsageError("--fresh forgets what --restore-best goes on from", where="--restore-best")
    if not job.config.save_every:
        if best or restore is not None:
            flag = "--restore-best" if best else "--restore" if restore else "--fresh"
            raise UsageError(f"{flag} goes with --save-every", where=flag, hint="edgelearn run --save-every 100 ...")
        return restore
    store = job.board.store
    if port is None and job.board.emulated and store and store.kind == "flash" and not store.file_bytes:
        raise UsageError(
            f"QEMU runs programs of {job.board.id}, but does not model how its flash is written",
            where="--save-every",
            hint="name the --port of a real one, or take qemu-m4 or qemu-rv32",
        )
    return True if best else restore


def on_port(job: Job, port: str | None, *, loads: bool = True) -> tuple[Job, str | None]:
    """The job as it runs on a real board, and the board's port; as it is, and None, where an emulator is started.

    A board that nothing emulates is looked for on USB if no port is named: DeviceError if it is not there. Nor is
    anything built for a port that can't be opened; but that of a board which is its own USB device, as those with a
    framework are, may only be there once its program is loaded.
    """
    from edgelearn.device.port import check_port
    from edgelearn.ports import find_port

    board = job.board
    if port is None:
        if board.emulated or board.arch == "host":
            return job, None
        port = find_port(board).port
    elif not (loads and board.framework):
        check_port(port)
    return dataclasses.replace(job, carrier="uart", board=board.on_silicon() if board.real else board), port
