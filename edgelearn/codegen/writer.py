"""What a plan's tensors and steps are in C: names, declarations, shape structs and calls, a row or a text each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from edgelearn.codegen.text import c_float, c_name, value_lines, wrap_call
from edgelearn.formats import BIT, F16, F32, SHIFTS
from edgelearn.graph import Role, Tensor
from edgelearn.memory import aligned
from edgelearn.ops import OPS, Kind
from edgelearn.ops.parts import Parts
from edgelearn.ops.shift import pack
from edgelearn.passes.update import MINUS_LR
from edgelearn.plan import Block, Plan
from edgelearn.schedule import Program, Step


class Writer:
    """Has one C name for each tensor of a plan."""

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
                yield kind, self._struct_name(kind, sizes), "\n".join(value_lines(fields))

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
            fields = [value_lines(_braced(f".{key} = {v}" for key, v in p.sizes.items() if v), 8) for p in parts]
            tables.append((f"{op.struct} shape[{len(parts)}]", [line for lines in fields for line in lines]))
        else:
            varied = [key for key in parts[0].sizes if len({p.sizes[key] for p in parts}) > 1]
            tables += [
                (f"int32_t {key}[{len(parts)}]", value_lines([str(p.sizes[key]) for p in parts], 8)) for key in varied
            ]
            shape = [f"{key}[hart]" if key in varied else str(value) for key, value in parts[0].sizes.items()]
        if moving:
            rows = (", ".join(str(offsets[k][part]) for k in moving) for part in range(len(parts)))
            tables.append((f"int32_t at[{len(parts)}][{len(moving)}]", value_lines([f"{{{row}}}" for row in rows], 8)))
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
    return value_lines([f"0x{word:08X}u" for word in words.tolist()])


def _values(tensor: Tensor) -> list[str]:
    if tensor.data is None or tensor.role is Role.STATE:
        return []
    if tensor.format is F16:
        bits = np.asarray(tensor.data, np.float16).view(np.uint16).reshape(-1)
        return value_lines([f"0x{value:04X}u" for value in bits.tolist()])
    flat = np.asarray(tensor.data, tensor.format.dtype).reshape(-1)
    if tensor.format in SHIFTS.values():
        flat = pack(flat, tensor.format.bits)
    literal = c_float if tensor.format.dtype.kind == "f" else str
    return value_lines([literal(value) for value in flat.tolist()])


def _braced(fields: Iterable[str]) -> list[str]:
    """The fields of one row of a table."""
    row = list(fields)
    row[0], row[-1] = f"{{{row[0]}", f"{row[-1]}}}"
    return row


def _part_name(step: Step) -> str:
    return f"{c_name(step.node.name)}_part"
