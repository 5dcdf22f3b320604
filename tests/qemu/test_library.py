"""A library for sketches on a Cortex-M4F: compiled as Arduino compiles it, the numbers are those of the usual path."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.build import build_image
from edgelearn.build.compile import bare_flags, generated_files, libraries
from edgelearn.build.files import image_files
from edgelearn.build.keep import write_generated
from edgelearn.build.library import make_library
from edgelearn.build.toolchain import emulator_command, find_compiler
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.importers import load
from edgelearn.plan import compile_model
from edgelearn.session import encode
from edgelearn.share import firmware_dir
from tests.support.cli import DATA, MODEL
from tests.support.libraries import HERE, compile_library, read_result, run, usual_path

COUNT = 4


def test_a_sketch_trains_as_the_board_does_over_the_link(tmp_path: Path) -> None:
    """With -Os the compiler may fuse other products with sums than with -O3: losses agree to 1e-5, weights to 1e-6."""
    board = boards.load("qemu-m4")
    plan = compile_model(load(MODEL), TrainConfig(lr=0.002), board)
    data = load_dataset(DATA, plan.imported, str(plan.graph.meta["loss"]))
    x, y = data.x_train[:COUNT], data.y_train[:COUNT]
    samples = encode(plan, x, y)
    write_generated(tmp_path / "lib", make_library(plan, list(zip(samples.x, samples.y, strict=True))))
    sources = generate(plan)
    compiler = find_compiler(board)
    machine = [*board.build.flags, *bare_flags(compiler)]
    # As Arduino cores do it, whose C is C11 with GNU's extensions.
    sketch = (*machine, "-std=gnu11", "-Os", "-ffunction-sections", "-fdata-sections")
    objects = compile_library(tmp_path / "lib", tmp_path / "obj", compiler.path, *sketch)
    for name, text in generated_files(sources.files, board).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    hal = [name for name in image_files(board, "pipe", []).runtime if name.startswith("hal/") and "timer" not in name]
    own = [HERE / "library_driver.c", HERE / "library_say.c", *(firmware_dir() / name for name in hal)]
    folders = [tmp_path / "lib" / "src", tmp_path / "lib" / "examples" / "train", tmp_path / "include"]
    folders += [firmware_dir() / "hal"]
    elf = tmp_path / "sketch.elf"
    link = ["-nostdlib", "-static", f"-T{tmp_path / 'linker.ld'}", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments"]
    paths = [*(f"-I{f}" for f in folders), *map(str, own), *objects]
    run([compiler.path, *sketch, *link, *paths, *libraries(board), "-o", str(elf)])
    done = subprocess.run(emulator_command(board, elf), stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    library = read_result(done.stdout, plan, COUNT)
    image = build_image(sources.files, board, tmp_path / "image", kernel_sources=sources.kernels)
    usual = usual_path(image, plan, x, y)
    assert library.losses == pytest.approx(usual.losses, rel=1e-5)
    assert library.losses[-COUNT:].mean() < library.losses[:COUNT].mean()
    assert (library.after, library.steps) == (pytest.approx(usual.after, rel=1e-5), usual.steps)
    assert library.output == pytest.approx(usual.output, abs=1e-5)
    weights = [np.frombuffer(result.weights, "<f4") for result in (library, usual)]
    assert np.abs(weights[0] - weights[1]).max() <= 1e-6
