"""A model as a library for Arduino and PlatformIO: trains and predicts from a sketch, without a host.

It has the runtime without its link, the kernels that the model calls, and one header of plain C. Arduino compiles all
of `src/` with flags of its own; what the sources need of the core is checked by the preprocessor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from edgelearn import __version__
from edgelearn.boards import Board
from edgelearn.build.compile import FLOATS
from edgelearn.build.files import with_included
from edgelearn.codegen import c_float, generate, value_lines
from edgelearn.errors import UsageError
from edgelearn.formats import F16, S8
from edgelearn.plan import Plan
from edgelearn.share import firmware_dir, template
from edgelearn.verdict import class_count, takes_labels

# Settings that a sketch has itself, or that a host begins.
REFUSED = {
    "replay": "keeps no latents: a host prepares that memory",
    "store": "keeps no samples, which is the sketch's affair",
    "save_every": "saves no weights by itself: el_weights() has them",
    "bake": "carries no set: a sketch has samples of its own",
    "sensor": "has no samples of its own: a sketch gives them to el_train()",
}
RUNTIME = ("src/replay.c", "src/schedule.c", "src/train.c")
MOST_FLOATS = 8192  # of samples that come with the example
# What the kernels of an instruction set need of the core, for the preprocessor and for people.
NEEDS = {
    "thumb": ("defined(__thumb2__) && defined(__ARM_FP)", "a Cortex-M with an FPU"),
    "thumb_m4": ("defined(__thumb2__) && defined(__ARM_FP)", "a Cortex-M with an FPU"),
    "dsp": ("defined(__ARM_FEATURE_DSP)", "a Cortex-M with the DSP extension"),
    "mve": ("defined(__ARM_FEATURE_MVE)", "a Cortex-M with Helium"),
    "rvf": ("defined(__riscv_flen)", "a RISC-V core with an FPU"),
    "rvv": ("defined(__riscv_vector)", "a RISC-V core with vectors"),
    "xfvec": ("defined(EL_XF16)", "the CV32E40P with halves"),
}
Example = tuple[np.ndarray, np.ndarray]  # a sample in device layout, its target


def board_for_library(board: Board) -> Board:
    """The board as a sketch's program finds it: one memory, which the sketch's own linker script manages."""
    return msgspec.structs.replace(board, layout=msgspec.structs.replace(board.layout, more=()))


def library_name(plan: Plan) -> str:
    """The folder that Arduino wants, and the library's name."""
    return f"edgelearn_{re.sub(r'[^A-Za-z0-9]+', '_', plan.graph.name).strip('_') or 'model'}"


def make_library(plan: Plan, examples: Sequence[Example] = ()) -> dict[str, str]:
    """All files of the library by path. Pure: the same plan and samples give the same bytes.

    UsageError for settings that a sketch can't have, and for several harts.
    """
    _check(plan)
    sources, title = generate(plan), library_name(plan)
    context = _context(plan, title) | _examples(plan, examples)
    files = {f"src/{name}": text for name, text in sources.files.items()}
    for path in with_included((*RUNTIME, *sources.kernels, "include/el/f16.h", "include/el/quant.h")):
        place = path.removeprefix("include/") if path.startswith("include/") else path.replace("src/", "runtime/", 1)
        files[f"src/{place}"] = (firmware_dir() / path).read_text(encoding="utf-8")
    for name in ("edgelearn.h", "edgelearn.c"):
        files[f"src/{name}"] = template(f"library/{name}.j2").render(context)
    for name in ("library.properties", "README.md"):
        files[name] = template(f"library/{name}.j2").render(context)
    files["examples/train/train.ino"] = template("library/train.ino.j2").render(context)
    if examples:
        files["examples/train/samples.h"] = template("library/samples.h.j2").render(context)
    files["library.json"] = json.dumps(_manifest(plan, title), indent=2) + "\n"
    return dict(sorted(files.items()))


def _check(plan: Plan) -> None:
    for name, reason in REFUSED.items():
        if getattr(plan.config, name, 0):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"a library {reason}", where=flag, hint=f"leave {flag} out")
    if any(plan.parts):
        raise UsageError(f"a library runs on one hart, {plan.board.id} has {plan.board.harts}")


def _context(plan: Plan, title: str) -> dict[str, Any]:
    graph, config = plan.graph, plan.config
    inputs, outputs = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    labels = takes_labels(str(graph.meta["loss"]))
    target = 0 if labels or plan.own_target else outputs.count
    quant, layout = inputs.quant, graph.meta["input"]
    used = dict.fromkeys(NEEDS[kernel.isa] for kernel in plan.chosen if kernel.isa in NEEDS)
    names = [f"dimension {axis + 1}" for axis in layout.perm]
    moved = layout.perm != tuple(range(len(layout.perm)))
    second = "uint32_t label" if labels else "const float *target" if target else ""
    reals = ("momentum", "beta2", "epsilon", "weight_decay", "clip_norm", "lr")
    return {
        "name": graph.name,
        "title": title,
        "version": __version__,
        "board": plan.board,
        "ram": plan.params.nbytes + plan.state.nbytes + plan.arena_bytes,
        "flash": plan.model_flash,
        "sample": inputs.count,
        "sample_shape": " x ".join(map(str, inputs.shape)),
        "order": f": of the model file's input these are {', '.join(names)}" if moved else "",
        "output": outputs.count,
        "output_shape": " x ".join(map(str, outputs.shape)),
        "labels": labels,
        "classes": class_count(graph) if labels else 0,
        "target": target,
        "arguments": ", ".join(filter(None, ("const float *sample", second))),
        "passed": f", {second.split()[-1].lstrip('*')}" if second else "",
        "weights": plan.params.used,
        "batch": config.batch,
        "rate": f"{config.lr:g}",
        "config": {name: c_float(getattr(config, name)) for name in reals} | {"warmup": config.warmup},
        "needs": list(used),
        "scope": f"Its kernels are those of {plan.board.id}." if used else "It is portable C, for every core.",
        "scope_short": plan.board.id if used else "every core",
        "quantised": inputs.format is S8,
        "input": "s8" if inputs.format is S8 else "f16" if inputs.format is F16 else "f32",
        "scale": c_float(quant.scale[0]) if quant else "",
        "zero": quant.zero_point[0] if quant else 0,
        "even": int(quant.even) if quant else 0,
        "argument": ", example_targets[i]" if labels else ", example_targets + i * EL_TARGET_LENGTH" if target else "",
    }


def _examples(plan: Plan, examples: Sequence[Example]) -> dict[str, Any]:
    """As many samples as fit, and the lines that they are in C."""
    fit = max(1, MOST_FLOATS // plan.graph.tensors[plan.graph.inputs[0]].count)
    chosen = examples[:fit]
    values = [c_float(v) for x, _ in chosen for v in np.asarray(x, np.float32).reshape(-1).tolist()]
    integers = takes_labels(str(plan.graph.meta["loss"]))
    numbers = [] if plan.own_target else [v for _, y in chosen for v in np.asarray(y).reshape(-1).tolist()]
    targets = [str(int(v)) if integers else c_float(v) for v in numbers]
    return {
        "examples": len(chosen),
        "count": len(chosen),
        "samples": value_lines(values),
        "targets": value_lines(targets),
    }


def _manifest(plan: Plan, title: str) -> dict[str, Any]:
    flags = [plan.board.build.optimize, *FLOATS]
    return {
        "name": title,
        "version": __version__,
        "description": f"{plan.graph.name}, a model that trains itself on the board.",
        "keywords": "machine learning, training",
        "headers": "edgelearn.h",
        "frameworks": "*",
        "platforms": "*",
        "examples": [{"name": "train", "base": "examples/train", "files": ["train.ino"]}],
        "build": {"srcDir": "src", "includeDir": "src", "flags": flags},
    }
