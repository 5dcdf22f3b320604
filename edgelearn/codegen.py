"""Writes the C of a plan: `model.c`, the program a careful person would have written, and `weights.c`, its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgelearn import kernels
from edgelearn.formats import BIT, F16, F32, SHIFTS, U32
from edgelearn.graph import Role, Tensor
from edgelearn.memory import BANK, aligned
from edgelearn.ops import OPS, Kind
from edgelearn.ops.parts import Parts
from edgelearn.ops.shift import pack
from edgelearn.passes.shift_latents import latents_of
from edgelearn.passes.update import MINUS_LR
from edgelearn.plan import Block, Plan, peak_step
from edgelearn.saving import RUN_BYTES
from edgelearn.schedule import Program, Step
from edgelearn.share import template
from edgelearn.verdict import threshold

WIDTH = 100
FILES = ("model.c", "weights.c", "weights.h")
EXTRAS = "extras.c"
RESERVED = frozenset(
    (
        "auto break case char const continue default do double else enum extern float for goto if inline int long"
        " register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
        " asm typeof bool true false main o latents prefix head memcpy memset int8_t uint8_t int32_t uint32_t"
    ).split()
)


@dataclass(frozen=True)
class Sources:
    """Generated files by name, and the files that they call, kernels above all, relative to firmware/."""

    files: dict[str, str]
    kernels: tuple[str, ...]


def c_float(value: float) -> str:
    """The shortest decimal that is exactly this float32 again, as a C literal."""
    single = np.float32(value)
    if np.isinf(single):
        return "-EL_INFINITY" if single < 0 else "EL_INFINITY"
    text = str(single)
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


def c_name(name: str) -> str:
    """A C identifier for a tensor; the runtime's names and C's words get a trailing underscore."""
    clean = re.sub(r"\W", "_", name)
    if clean[0].isdigit() or clean.startswith("el_"):
        clean = f"t_{clean}"
    return f"{clean}_" if clean in RESERVED else clean


def wrap_call(name: str, arguments: Iterable[str], indent: str = "    ") -> str:
    """A call statement, broken between arguments where the line would be longer than WIDTH."""
    lines, line = [], f"{indent}{name}("
    items = list(arguments)
    for k, item in enumerate(items):
        piece = item + (", " if k + 1 < len(items) else ");")
        if len(line) + len(piece.rstrip()) > WIDTH:
            lines.append(line.rstrip())
            line = indent + "    "
        line += piece
    return "\n".join([*lines, line if items else line + ");"])


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tensors = plan.graph.tensors
        # The arena's parts: the first is el_arena, the others say which memory they lie in.
        self.arrays = ["el_arena", *(f"el_arena_in_{memory}" for memory in plan.places.banks[1:])]
        # Two models may have names that meet once they are C identifiers.
        self.names: dict[str, str] = {}
        taken: set[str] = set()
        for tensor in self.tensors:
            name = base = c_name(tensor)
            k = 2
            while name in taken:
                name, k = f"{base}_{k}", k + 1
            taken.add(name)
            self.names[tensor] = name

    def structs(self) -> Iterator[tuple[str, str, str]]:
        """(type, name, initializer lines) of each shape struct: steps with equal fields share one."""
        seen = set()
        for step, sizes in self._whole():
            kind = OPS[step.node.op].struct
            if kind and (key := self._struct_key(kind, sizes)) not in seen:
                seen.add(key)
                fields = [f".{key} = {value}" for key, value in sizes.items() if value]
                yield kind, self._struct_name(kind, sizes), "\n".join(_lines(fields))

    def _whole(self) -> Iterator[tuple[Step, Any]]:
        """The steps that one hart computes, and their shape arguments."""
        rows = zip(self.plan.schedule.steps, self.plan.sizes, self.plan.parts, strict=True)
        return ((step, sizes) for step, sizes, parts in rows if not parts)

    @staticmethod
    def _struct_key(kind: str, sizes: Any) -> tuple[Any, ...]:
        return kind, *sizes.items()

    def _struct_name(self, kind: str, sizes: Any) -> str:
        """Named after the first layer that uses it."""
        for step, other in self._whole():
            if OPS[step.node.op].struct == kind and other == sizes:
                return f"{c_name(step.node.name)}_{kind.removeprefix('el_')}"
        raise KeyError(kind)

    def call(self, step: Step) -> str:
        """The statement of one step."""
        if count := len(self.plan.parts[step.index]):
            return wrap_call("el_harts_run", [_part_name(step), str(count), "o" if self._reads_optim(step) else "NULL"])
        node, op = step.node, OPS[step.node.op]
        kernel, sizes = self.plan.chosen[step.index], self.plan.sizes[step.index]
        shape = [f"&{self._struct_name(op.struct, sizes)}"] if op.struct else [str(v) for v in sizes.values()]
        arguments = [*shape, *self._scalars(step), *self._operands(step)]
        if kernel.scratch:
            arguments.append(f"{c_name(node.name)}_scratch")
        return wrap_call(kernel.name, arguments)

    def parts(self) -> Iterator[dict[str, Any]]:
        """One row a step that harts divide among them: its function's name, tables and call."""
        for step, parts in zip(self.plan.schedule.steps, self.plan.parts, strict=True):
            if parts:
                yield self._part(step, parts)

    def _part(self, step: Step, parts: Parts) -> dict[str, Any]:
        node, op, kernel = step.node, OPS[step.node.op], self.plan.chosen[step.index]
        operands = self._operands(step)
        formats = [self.tensors[n].format if n else F32 for n in (*node.inputs, *node.outputs)]
        offsets = [
            [offset // (8 if fmt is BIT else 1) for offset in column]
            for fmt, column in zip(formats, zip(*((*p.inputs, *p.outputs) for p in parts), strict=True), strict=False)
        ]
        moving = [k for k, column in enumerate(offsets) if any(column) and operands[k] != "NULL"]
        for at, k in enumerate(moving):
            operands[k] += f" + at[hart][{at}]"
        tables, shape = [], ["&shape[hart]"]
        if op.struct:
            fields = [_lines(_braced(f".{key} = {v}" for key, v in p.sizes.items() if v), 8) for p in parts]
            tables.append((f"{op.struct} shape[{len(parts)}]", [line for lines in fields for line in lines]))
        else:
            varied = [key for key in parts[0].sizes if len({p.sizes[key] for p in parts}) > 1]
            tables += [
                (f"int32_t {key}[{len(parts)}]", _lines([str(p.sizes[key]) for p in parts], 8)) for key in varied
            ]
            shape = [f"{key}[hart]" if key in varied else str(value) for key, value in parts[0].sizes.items()]
        if moving:
            rows = (", ".join(str(offsets[k][part]) for k in moving) for part in range(len(parts)))
            tables.append((f"int32_t at[{len(parts)}][{len(moving)}]", _lines([f"{{{row}}}" for row in rows], 8)))
        arguments = [*shape, *self._scalars(step), *operands]
        if kernel.scratch:
            arguments.append(f"{c_name(node.name)}_scratch + hart * {kernel.scratch // len(parts) // 4}")
        return {
            "name": _part_name(step),
            "tables": tables,
            "call": wrap_call(kernel.name, arguments),
            "reads_optim": self._reads_optim(step),
        }

    def _scalars(self, step: Step) -> list[str]:
        node, op = step.node, OPS[step.node.op]
        arguments = [str(v) if isinstance(v, int) else c_float(v) for v in op.scalars(node.attrs).values()]
        if op.kind is Kind.ACCUMULATE:
            scale = node.attrs["scale"]
            arguments.append("-o->lr" if scale == MINUS_LR else c_float(scale))
        if op.kind is Kind.STEP and op.uses_optim:
            arguments.append("o")
        return arguments

    def _operands(self, step: Step) -> list[str]:
        node, op = step.node, OPS[step.node.op]
        outputs = [self.names[name] for name in node.outputs]
        outputs += ["NULL"] * (len(op.formats) - len(outputs) if op.kind is Kind.PURE else 0)
        return [*(self.names[name] if name else "NULL" for name in node.inputs), *outputs]

    def body(self, program: Program) -> str:
        """All statements of one function."""
        return "\n".join(self.call(s) for s in self.plan.schedule.steps if s.program is program)

    def uses_optim(self, program: Program) -> bool:
        """Whether a function reads the optimizer's settings."""
        return any(self._reads_optim(s) for s in self.plan.schedule.steps if s.program is program)

    @staticmethod
    def _reads_optim(step: Step) -> bool:
        op = OPS[step.node.op]
        return (op.kind is Kind.STEP and op.uses_optim) or step.node.attrs.get("scale") == MINUS_LR

    def arena_rows(self) -> list[dict[str, Any]]:
        """One row a tensor that lives in the arena."""
        rows = []
        for slot in self.plan.arena.slots:
            members = slot.buffer.tensors or (slot.buffer.name,)
            for name in members:
                tensor = self.tensors.get(name)
                rows.append(
                    {
                        "name": self.names[name] if tensor else c_name(name),
                        "ctype": tensor.format.ctype if tensor else "float",
                        "offset": slot.offset,
                        "array": self.arrays[slot.bank],
                        "at": slot.offset - self.plan.arena.starts[slot.bank],
                        "nbytes": slot.size,
                        "first": max(slot.buffer.first, 0),
                        "last": slot.buffer.last,
                        "used": tensor is None or self._is_argument(name),
                        "shape": " x ".join(map(str, tensor.shape)) if tensor else "scratch",
                    }
                )
        return rows

    def _is_argument(self, name: str) -> bool:
        return any(name in (*s.node.inputs, *s.node.outputs) for s in self.plan.schedule.steps)

    def block_rows(self, block: Block, array: str = "", words: bool = False) -> list[dict[str, Any]]:
        """One row a tensor; `lines` are its values, where it has some, as `words` or in its own format."""
        return [
            {
                "name": self.names[t.name],
                "ctype": t.format.ctype,
                "half": t.format is F16,
                "pointer": _pointer(t, f"{array} + {offset // 4}"),
                "count": t.nbytes if t.format in SHIFTS.values() else t.count,
                "shape": " x ".join(map(str, t.shape)),
                "lines": _words(t) if words else _values(t),
            }
            for t, offset in block.tensors
        ]

    def latent_rows(self) -> list[dict[str, Any]]:
        """One row a tensor of the cut."""
        kept = self.plan.latents
        return [
            {
                "name": self.names[t.name],
                "count": t.count,
                "kept": f"EL_LATENT_{kept.kept_as(t).upper()}",
                "half": t.format is F16,
            }
            for t in kept.tensors
        ]

    def region(self, name: str) -> str:
        slot = self.plan.arena.slot_of(name)
        at = slot.offset - self.plan.arena.starts[slot.bank]
        return f"{{{self.arrays[slot.bank]} + {at}, {self.tensors[name].nbytes}}}"


def _pointer(tensor: Tensor, place: str) -> str:
    """A place in an array of floats as the address of a tensor."""
    return place if tensor.format is F32 else f"({tensor.format.ctype} *)(void *)({place})"


def _words(tensor: Tensor) -> list[str]:
    """The bits of a trained weight, as whole words."""
    data = np.ascontiguousarray(tensor.data, tensor.format.dtype.newbyteorder("<")).tobytes()
    words = np.frombuffer(data.ljust(aligned(len(data)), b"\0"), "<u4")
    return _lines([f"0x{word:08X}u" for word in words.tolist()])


def _values(tensor: Tensor) -> list[str]:
    if tensor.data is None or tensor.role is Role.STATE:
        return []
    if tensor.format is F16:
        bits = np.asarray(tensor.data, np.float16).view(np.uint16).reshape(-1)
        return _lines([f"0x{value:04X}u" for value in bits.tolist()])
    flat = np.asarray(tensor.data, tensor.format.dtype).reshape(-1)
    if tensor.format in SHIFTS.values():
        flat = pack(flat, tensor.format.bits)
    literal = c_float if tensor.format.dtype.kind == "f" else str
    return _lines([literal(value) for value in flat.tolist()])


def _braced(fields: Iterable[str]) -> list[str]:
    """The fields of one row of a table."""
    row = list(fields)
    row[0], row[-1] = f"{{{row[0]}", f"{row[-1]}}}"
    return row


def _part_name(step: Step) -> str:
    return f"{c_name(step.node.name)}_part"


def _lines(values: list[str], spaces: int = 4) -> list[str]:
    indent = " " * spaces
    lines, line = [], indent
    for value in values:
        if len(line) + len(value) + 1 > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += f"{value}, "
    return [*lines, line.rstrip()]


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


def _begins(writer: _Writer) -> list[str]:
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
    writer, graph = _Writer(plan), plan.graph
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


def baked(samples: Sequence[bytes]) -> dict[str, str]:
    """Files with samples in flash, each as it travels with its target behind it."""
    data = b"".join(samples)
    lines = [", ".join(f"0x{byte:02x}" for byte in data[at : at + 16]) for at in range(0, len(data), 16)]
    head = f"/* {len(samples)} samples of {len(samples[0])} bytes. Generated by edgelearn; do not edit. */"
    array = f"const uint8_t el_baked[{len(data)}]"
    guard = "#ifndef EL_SET_H\n#define EL_SET_H\n\n#include <stdint.h>\n"
    return {
        "set.h": f"{head}\n{guard}\nextern {array};\n\n#endif\n",
        "set.c": "\n".join(
            [head, '#include "set.h"', "", f"_Alignas(16) {array} = {{", *(f"    {x}," for x in lines), "};", ""]
        ),
    }


def features_of(plan: Plan) -> list[str]:
    """What the program has beside the model: bits of a HELLO reply."""
    has = {"EL_HAS_STORE": plan.saving, "EL_HAS_SENSOR": plan.config.sensor, "EL_HAS_SET": plan.set_used}
    return [name for name, there in has.items() if there]


def feature_files(plan: Plan) -> list[str]:
    """The files of that, relative to firmware/."""
    saving = ["features/persist.c", *(f"hal/{name}" for name in plan.saving.store.driver)] if plan.saving else []
    sensor = ["features/sensor.c"] if plan.config.sensor else []
    found = [*saving, *sensor, *(["features/set.c"] if plan.set_used else [])]
    return ["features/commands.c", *found] if found else []
