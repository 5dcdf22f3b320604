"""The files of a plan: templates filled in with what the writer makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgelearn import kernels
from edgelearn.codegen.features import feature_files, features_of
from edgelearn.codegen.text import c_float, wrap_call
from edgelearn.codegen.writer import Writer
from edgelearn.formats import F16, U32
from edgelearn.graph import Tensor
from edgelearn.memory import BANK, aligned
from edgelearn.passes.shift_latents import latents_of
from edgelearn.plan import Plan, peak_step
from edgelearn.saving import RUN_BYTES
from edgelearn.schedule import Program
from edgelearn.share import template
from edgelearn.verdict import threshold

FILES = ("model.c", "weights.c", "weights.h")
EXTRAS = "extras.c"


@dataclass(frozen=True)
class Sources:
    """Generated files by name, and the files that they call, kernels above all, relative to firmware/."""

    files: dict[str, str]
    kernels: tuple[str, ...]


def _section(plan: Plan, memory: str) -> str:
    """The attribute that lays an array into a memory that is not the main one."""
    return "" if memory == plan.board.layout.ram else f'__attribute__((section(".bss.in_{memory}"))) '


def _target_kind(plan: Plan, target: Tensor) -> str:
    if plan.own_target:
        return "EL_TARGET_SAMPLE"
    return "EL_TARGET_LABEL" if target.format is U32 else "EL_TARGET_VECTOR"


def _scaling(plan: Plan) -> dict[str, str] | None:
    """Where the loss scale lies, and what it starts as."""
    found = ((t, at) for t, at in plan.state.tensors if t.name == plan.graph.meta.get("scaling"))
    return next(({"place": f"el_state + {at // 4}", "start": c_float(_first(t))} for t, at in found), None)


def _begin() -> kernels.Kernel:
    """What computes where latents begin, once."""
    return kernels.select("shift_begin_fwd", "f32", (), {})


def _begins(writer: Writer) -> list[str]:
    """The calls that bring the latents of weights to where they begin."""
    tensors, names = writer.tensors, writer.names
    found = ((tensors[weight], tensors[own.name], own) for weight, own in latents_of(writer.plan.graph).items())
    return [
        wrap_call(
            _begin().name,
            [str(w.count), str(held.shape[-1]), str(own.k), c_float(own.span), names[w.name], names[held.name]],
        )
        for w, held, own in found
    ]


def _first(tensor: Tensor) -> float:
    return float(np.asarray(tensor.data).reshape(-1)[0])


def generate(plan: Plan) -> Sources:
    """The C sources of a plan. Pure: the same plan gives the same bytes."""
    writer, graph = Writer(plan), plan.graph
    target = graph.tensors[str(graph.meta["target"])]
    halves = any(t.format is F16 for t, _ in plan.params.tensors)
    features = features_of(plan)
    context = {
        "plan": plan,
        "features": features,
        "run_bytes": RUN_BYTES,
        "sensor": plan.config.sensor,
        "name": graph.name,
        "trained": [t.name for t, _ in plan.params.tensors],
        "hash": [f"0x{plan.hash[k : k + 2]}" for k in range(0, 16, 2)],
        "peak": peak_step(plan).node.name,
        "structs": list(writer.structs()),
        "arena": writer.arena_rows(),
        "banks": [
            (name, aligned(nbytes, BANK), _section(plan, memory))
            for name, nbytes, memory in zip(writer.arrays, plan.arena.banks, plan.places.banks, strict=True)
            if nbytes or len(writer.arrays) == 1
        ],
        "sections": {name: _section(plan, memory) for name, memory in plan.places.arrays.items()},
        "parts": list(writer.parts()),
        "latents": writer.latent_rows(),
        "params": writer.block_rows(plan.params, "el_params", halves),
        "state": writer.block_rows(plan.state, "el_state"),
        "halves": halves,
        "scaling": _scaling(plan),
        "begins": _begins(writer),
        "half_input": graph.tensors[graph.inputs[0]].format is F16,
        "consts": writer.block_rows(plan.consts),
        "regions": {n: writer.region(n) for n in (*graph.inputs, graph.outputs[0])},
        "input": graph.inputs[0],
        "output": graph.outputs[0],
        "target": "{NULL, 0}" if plan.own_target else writer.region(target.name),
        "target_kind": _target_kind(plan, target),
        "threshold": c_float(threshold(graph)),
        "sample_format": f"EL_SAMPLE_{plan.samples.upper()}",
        "loss": writer.names[str(graph.meta["loss_tensor"])],
        "bodies": {p.value: writer.body(p) for p in Program},
        "uses_optim": {p.value: writer.uses_optim(p) for p in Program},
    }
    files = {name: template(f"{name}.j2").render(context) for name in (*FILES, *([EXTRAS] if features else []))}
    called = (*plan.chosen, *([_begin()] if context["begins"] else []))
    return Sources(files, (*kernels.sources(called), *feature_files(plan)))
