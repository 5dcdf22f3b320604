"""Libraries for sketches, on this computer: the numbers of the usual path, and the example as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.build import build_image
from edgelearn.build.keep import write_generated
from edgelearn.build.library import board_for_library, library_name, make_library
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.errors import UsageError
from edgelearn.importers import load
from edgelearn.plan import Plan, compile_model
from edgelearn.session import encode
from tests.support.cli import DATA, MODEL, ROOT, edgelearn
from tests.support.libraries import HERE, ROUNDS, compile_library, read_result, run, usual_path

Capture = pytest.CaptureFixture[str]
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def _plan(config: TrainConfig, board: str = "host") -> Plan:
    return compile_model(load(MODEL), config, board_for_library(boards.load(board)))


def _written(plan: Plan, folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The library with `count` training samples in its example; the samples as the file's user has them."""
    data = load_dataset(DATA, plan.imported, str(plan.graph.meta["loss"]))
    x, y = data.x_train[:count], data.y_train[:count]
    samples = encode(plan, x, y)
    write_generated(folder, make_library(plan, list(zip(samples.x, samples.y, strict=True))))
    return x, y


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(optimizer="adam", momentum=0.9, lr=0.001, batch=4, weight_decay=0.01, clip_norm=1.0, warmup=3),
        TrainConfig(precision="fp16", momentum=0.9),
    ],
    ids=["plain", "adam", "fp16"],
)
def test_a_library_gives_the_numbers_of_the_usual_path(config: TrainConfig, tmp_path: Path) -> None:
    """The same bits: losses, weights, a prediction; once under sanitizers, with every warning an error."""
    plan, sanitize = _plan(config), SANITIZE if config == TrainConfig() else ()
    x, y = _written(plan, tmp_path / "lib", 6)
    objects = compile_library(tmp_path / "lib", tmp_path / "obj", "gcc", "-std=gnu11", "-O1", *sanitize)
    say = tmp_path / "say.c"
    say.write_text(
        "#include <stdint.h>\n#include <unistd.h>\nvoid say(const void *bytes, uint32_t count);\n"
        "void say(const void *bytes, uint32_t count)\n{\n    if (write(1, bytes, count) != (ssize_t)count) {\n"
        "        _exit(1);\n    }\n}\n"
    )
    folders = [f"-I{tmp_path / 'lib' / name}" for name in ("src", "examples/train")]
    program = str(tmp_path / "driver")
    run(["gcc", *sanitize, *folders, str(HERE / "library_driver.c"), str(say), *objects, "-o", program])
    (tmp_path / "said").write_bytes(b"")
    run(["sh", "-c", f"{program} > {tmp_path / 'said'}"])
    library = read_result((tmp_path / "said").read_bytes(), plan, len(x))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path / "image", kernel_sources=sources.kernels)
    usual = usual_path(image, plan, x, y)
    assert library.losses.tolist() == usual.losses.tolist()
    assert (library.after, library.steps) == (usual.after, usual.steps)
    assert library.output.tolist() == usual.output.tolist()
    assert library.weights == usual.weights
    assert library.steps == ROUNDS * len(x) // config.batch


def _rounds(folder: Path, out: Path) -> list[tuple[float, int, int]]:
    """What the example prints, compiled with a core of this computer: loss, right, of."""
    objects = compile_library(folder, out, "gcc", "-std=gnu11", "-O2")
    stub = [f"-I{HERE / 'frameworks' / 'arduino'}", f"-I{folder / 'src'}"]
    sketch, program = folder / "examples" / "train" / "train.ino", str(out / "sketch")
    strict = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")
    core = ["-include", "Arduino.h", "-x", "c++", str(sketch), str(HERE / "sketch.cpp")]
    run(["g++", "-std=gnu++11", *strict, *stub, *core, "-x", "none", *objects, "-o", program])
    found = re.findall(r"^round \d+: loss ([\d.]+)(?:, right (\d+) of (\d+))?$", run([program]), re.MULTILINE)
    assert len(found) == 3
    return [(float(loss), int(right or 0), int(of or 0)) for loss, right, of in found]


def test_the_example_learns_its_samples(tmp_path: Path, capsys: Capture) -> None:
    """As a user gets it: the command, and the sketch with samples of every class."""
    folder = tmp_path / "edgelearn_wearable"
    said = edgelearn(capsys, "build", MODEL, "--library", "--data", DATA, "--lr", "0.0002", "--out", folder)
    assert said.code == 0
    rounds = _rounds(folder, tmp_path / "obj")
    assert [of for _, _, of in rounds] == [8] * 3
    assert rounds[2][0] < rounds[1][0] < rounds[0][0]
    text = (folder / "examples" / "train" / "samples.h").read_text()
    assert "0, 1, 2, 3, 4, 5, 6, 0," in text


@pytest.mark.parametrize("example", ["ecg", "digits", "keywords"])
def test_examples_of_other_models_learn(example: str, tmp_path: Path, capsys: Capture) -> None:
    """An autoencoder, and int8 models whose input is rounded on the way in; without data for the first."""
    folder, project = tmp_path / "library", ROOT / "examples" / example
    said = edgelearn(capsys, "build", "--project", project, "--library", "--out", folder)
    assert said.code == 0, said.err
    rounds = _rounds(folder, tmp_path / "obj")
    assert rounds[2][0] < rounds[0][0]


def test_a_sketch_without_data_runs(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "library"
    assert edgelearn(capsys, "build", MODEL, "--library", "--out", folder).code == 0
    assert not (folder / "examples" / "train" / "samples.h").exists()
    rounds = _rounds(folder, tmp_path / "obj")
    assert (rounds[2][0] < rounds[0][0], rounds[0][2]) == (True, 2)


def test_a_library_is_for_every_core_or_says_for_which(tmp_path: Path) -> None:
    portable, tuned = make_library(_plan(TrainConfig())), make_library(_plan(TrainConfig(), "qemu-m4"))
    assert "#error" not in portable["src/edgelearn.c"]
    assert "#error" in tuned["src/edgelearn.c"]
    assert make_library(_plan(TrainConfig())) == portable
    for name, text in tuned.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(AssertionError, match="it needs a Cortex-M with an FPU"):
        compile_library(tmp_path, tmp_path / "obj", "gcc", "-std=gnu11")


def test_what_a_sketch_cannot_have_is_said() -> None:
    refused = {
        "replay": TrainConfig(train="last", replay=20),
        "store": TrainConfig(store=4),
        "save-every": TrainConfig(save_every=5),
        "sensor": TrainConfig(sensor=True),
        "bake": TrainConfig(bake=3),
    }
    for flag, config in refused.items():
        with pytest.raises(UsageError, match="a library ") as caught:
            make_library(_plan(config))
        assert caught.value.where == f"--{flag}"
    with pytest.raises(UsageError, match="one hart"):
        make_library(_plan(TrainConfig(), "qemu-rv32x8"))


def test_a_library_has_its_models_name() -> None:
    assert library_name(_plan(TrainConfig())) == "edgelearn_wearable"
