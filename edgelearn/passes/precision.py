"""Training in half precision: which tensors and steps of a differentiated graph become IEEE binary16, and which do not.

Every op that has a kernel for it computes on halves: weights, activations and gradients; masks stay bits. float32 are
the loss and its gradient, softmax wherever it stands, a sigmoid that makes the prediction, recurrent layers, statistics
of frozen norms, and what the host sees of a prediction. Casts stand where the formats meet, one a tensor for the
forward pass and one from the loss on, so that between the two only the half is kept. The gradient of the loss is
multiplied by the loss scale before it becomes a half.

`mixed` keeps trained weights in float32 and casts them where they are used. A weight that a float32 layer reads stays
float32 either way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.errors import InputError
from edgelearn.formats import F16, F32
from edgelearn.graph import Graph, Node, Phase, Role, Tensor, unique_name
from edgelearn.ops import OPS, Kind
from edgelearn.ops.half import SUFFIX, WIDE
from edgelearn.ops.scaling import FIELDS, start
from edgelearn.passes.differentiate import INSIDE, LOSSES
from edgelearn.passes.samples import AUTO

FULL, HALF, MIXED = "fp32", "fp16", "mixed"
SCALING = "loss_scaling"
_PREDICTING = {op for ops in INSIDE.values() for op in ops}
_LOSS_GRADIENTS = {f"{op}_bwd" for op in LOSSES.values()}


def to_halves(graph: Graph, precision: str, scale: float, samples: str = AUTO) -> Graph:
    """A differentiated graph in the precision that is wanted; in fp32 it comes back as it is.

    meta["scaling"] names the tensor with the loss scale, which starts as `scale`; meta["exact"] has the float32 values
    of frozen weights. InputError if a weight is too large for a half.
    """
    return graph if precision == FULL else _Halving(graph, precision == MIXED, samples).run(scale)


def is_scaled(graph: Graph) -> bool:
    """Whether gradients are halves, and carry the loss scale."""
    return "scaling" in graph.meta


class _Halving:
    def __init__(self, graph: Graph, master: bool, samples: str) -> None:
        self.graph, self.master, self.samples = graph, master, samples
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.exact: dict[str, np.ndarray] = {}
        self.taken = set(graph.tensors) | {n.name for n in graph.nodes}
        # The two forms of a float tensor, by its name and whether it is used from the loss on; casts are cached there.
        self.halves: dict[tuple[str, bool], str] = {}
        self.reals: dict[tuple[str, bool], str] = {}
        self.pinned = self._pin()

    def run(self, scale: float) -> Graph:
        self._add(Tensor(SCALING, (FIELDS,), Role.STATE, F32, start(scale)))
        for name in self.graph.inputs:
            self._input(self.graph.tensors[name])
        for node in self.graph.nodes:
            self._node(node)
        unused = [t for name, t in self.graph.tensors.items() if not self._is_known(name)]
        for tensor in unused:
            self._add(tensor)
        meta = {**self.graph.meta, "scaling": SCALING, "exact": self.exact}
        return self.graph.replace(tensors=self.tensors, nodes=self.nodes, meta=meta)

    # Which nodes are halves

    def _computes_in_halves(self, node: Node) -> bool:
        touched = {*node.inputs, *node.outputs}
        makes_prediction = node.op.removesuffix("_bwd") in _PREDICTING and touched & set(self.graph.outputs)
        return node.op + SUFFIX in OPS and not makes_prediction and OPS[node.op].fmt is F32

    def _pin(self) -> set[str]:
        """Trained weights that a float32 node reads, with their gradients."""
        reads = {n for node in self.graph.nodes if not self._computes_in_halves(node) for n in node.inputs if n}
        weights = {n for n in reads if self.graph.tensors[n].role is Role.PARAM}
        return weights | {f"{name}_grad" for name in weights}

    def _is_half(self, node: Node) -> bool:
        return self._computes_in_halves(node) and self.pinned.isdisjoint((*node.inputs, *node.outputs))

    def _cast_op(self, node: Node) -> str:
        """A node between int8 and real numbers reads or makes halves where those are what its neighbours have."""
        if node.op == "quantize" and self._primary_half(node.inputs[0]):
            return node.op + SUFFIX
        if node.op == "dequantize":
            readers = self.graph.consumers(node.outputs[0])
            if readers and all(map(self._is_half, readers)) and node.outputs[0] not in self.graph.outputs:
                return node.op + SUFFIX
        return node.op

    # Tensors and their forms

    def _is_float(self, name: str) -> bool:
        return self.graph.tensors[name].format is F32

    def _add(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        self.taken.add(tensor.name)
        return tensor.name

    def _is_known(self, name: str) -> bool:
        return any((name, late) in forms for forms in (self.halves, self.reals) for late in (False, True)) or (
            name in self.tensors
        )

    def _primary_half(self, name: str) -> bool:
        return (name, False) in self.halves

    def _free(self, name: str) -> str:
        free = unique_name(name, self.taken)
        self.taken.add(free)
        return free

    def _input(self, tensor: Tensor) -> None:
        """A sample that only half-precision layers and the loss read travels and lies as halves."""
        readers = [n for n in self.graph.consumers(tensor.name) if n.phase is Phase.FORWARD]
        half = tensor.name == self.graph.inputs[0] and tensor.format is F32 and self.samples in (AUTO, "f16")
        if half and readers and all(map(self._is_half, readers)):
            self._made(self._add(replace(tensor, format=F16)), tensor.name, self.halves)
        else:
            self._made(self._add(tensor), tensor.name, self.reals)

    def _made(self, name: str, of: str, forms: dict[tuple[str, bool], str]) -> None:
        """A form that is there in both parts of a training step."""
        forms[of, False] = forms[of, True] = name

    def _constant(self, tensor: Tensor, half: bool) -> None:
        """A weight where it is first read; a frozen one may have both forms."""
        forms = self.halves if half else self.reals
        if not half:
            name = tensor.name if tensor.name not in self.tensors else self._free(f"{tensor.name}_f32")
            return self._made(self._add(replace(tensor, name=name)), tensor.name, forms)
        name = tensor.name if tensor.name not in self.tensors else self._free(f"{tensor.name}_f16")
        assert tensor.data is not None
        with np.errstate(over="ignore"):
            data = tensor.data.astype(np.float16)
        if not np.isfinite(data).all():
            raise InputError(
                f"the weights '{tensor.name}' reach {float(np.abs(tensor.data).max()):g}, fp16 ends at 65504",
                where="--precision",
                hint="--precision fp32",
            )
        if tensor.role is Role.CONST:
            self.exact[name] = tensor.data
        return self._made(self._add(replace(tensor, name=name, format=F16, data=data)), tensor.name, forms)

    def _weight(self, tensor: Tensor, half: bool) -> bool:
        """Whether a weight now stands in the form that is wanted; a float32 master has to be cast."""
        if tensor.role is Role.PARAM and (self.master or tensor.name in self.pinned):
            if (tensor.name, False) not in self.reals:
                self._constant(tensor, half=False)
            return not half
        if (tensor.name, False) not in (self.halves if half else self.reals):
            self._constant(tensor, half)
        return True

    def _form(self, name: str, half: bool, phase: Phase) -> str:
        """An operand in one of its forms, cast where it is not there yet."""
        tensor, late = self.graph.tensors[name], phase is not Phase.FORWARD
        if tensor.format is not F32:
            return name if name in self.tensors else self._add(tensor)
        if tensor.data is not None:
            self._weight(tensor, half)
        own, other = (self.halves, self.reals) if half else (self.reals, self.halves)
        if (name, late) not in own and phase is Phase.LOSS and (name, False) in own:
            own[name, late] = own[name, False]  # a cast that the prediction needed anyway
        if (name, late) not in own:
            op = "narrow" if half else "widen"
            made = self._free(f"{name}_{F16.name if half else F32.name}")
            source = self.tensors[other[name, late]]
            role = Role.GRAD if source.role is Role.GRAD else Role.ACT
            self._add(Tensor(made, tensor.shape, role, F16 if half else F32))
            at = Phase.BACKWARD if phase is Phase.UPDATE else phase
            self.nodes.append(Node(op, self._free(f"{made}_{op}"), (source.name,), (made,), {}, at))
            own[name, late] = made
        return own[name, late]

    # Nodes

    def _node(self, node: Node) -> None:
        half = self._is_half(node)
        name = node.op + SUFFIX if half else self._cast_op(node)
        halves = half or name.endswith(SUFFIX)
        wide = WIDE.get(node.op, ())
        inputs = tuple(
            self._form(n, halves and k not in wide, node.phase) if n else "" for k, n in enumerate(node.inputs)
        )
        after: list[Node] = []
        outputs = tuple(self._output(n, halves, node, after) if n else "" for n in node.outputs)
        self.nodes.append(replace(node, op=name, inputs=inputs, outputs=outputs))
        self.nodes += after

    def _output(self, name: str, half: bool, node: Node, after: list[Node]) -> str:
        tensor = self.graph.tensors[name]
        if tensor.format is not F32:
            return name if name in self.tensors else self._add(tensor)
        if OPS[node.op].kind is Kind.ACCUMULATE:
            return name if name in self.tensors else self._add(replace(tensor, format=F16 if half else F32))
        if node.op in _LOSS_GRADIENTS:
            return self._scaled(tensor, after)
        if not half:
            self._made(self._add(tensor), name, self.reals)
            return name
        if name not in self.graph.outputs:
            self._made(self._add(replace(tensor, format=F16)), name, self.halves)
            return name
        made = self._add(replace(tensor, name=self._free(f"{name}_{F16.name}"), format=F16))
        self._made(made, name, self.halves)
        self._made(self._add(tensor), name, self.reals)
        after.append(Node("widen", self._free(f"{name}_widen"), (made,), (name,), {}, node.phase, node.origin))
        return made

    def _scaled(self, tensor: Tensor, after: list[Node]) -> str:
        """The loss's gradient, and behind it the same times the loss scale, which is what everybody else reads."""
        seed = self._add(replace(tensor, name=self._free(f"{tensor.name}_unscaled")))
        self._made(self._add(tensor), tensor.name, self.reals)
        inputs, name = (seed, SCALING), self._free("loss_scale")
        after.append(Node("loss_scale", name, inputs, (tensor.name,), {}, Phase.BACKWARD))
        return seed
