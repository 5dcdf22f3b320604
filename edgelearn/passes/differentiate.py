"""Appends the loss and the backward pass: reverse-mode differentiation at compile time.

Only gradients that some trained weight needs are emitted: none below the deepest trained layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgelearn.errors import InputError
from edgelearn.formats import F32, U32
from edgelearn.graph import Graph, Node, Phase, Role, Tensor, unique_name
from edgelearn.ops import OPS
from edgelearn.ops.quantized.convert import cast_attrs
from edgelearn.verdict import takes_labels

LOSSES = {
    "cross-entropy": "softmax_xent",
    "stablemax": "stablemax_xent",
    "binary-cross-entropy": "sigmoid_xent",
    "mse": "mse",
}
SOFTMAXES = ("softmax", "log_softmax")
# The last op of a model that a loss contains: the loss reads that op's input.
INSIDE = {"cross-entropy": SOFTMAXES, "stablemax": SOFTMAXES, "binary-cross-entropy": ("sigmoid",)}


def choose_loss(graph: Graph, loss: str) -> str:
    """`auto`: cross-entropy if the model ends in a vector of at least two scores, binary-cross-entropy if in a sigmoid
    with one output, else mean squared error.

    Mean squared error too where the output has the input's own shape, an autoencoder, and for several sigmoids.
    """
    if loss != "auto":
        return loss
    out = graph.tensors[graph.outputs[0]]
    last = graph.producer(out.name)
    if out.count == 1 and last is not None and last.op == "sigmoid":
        return "binary-cross-entropy"
    if out.shape == graph.tensors[graph.inputs[0]].shape:
        return "mse"
    vector = out.count == out.shape[-1] and out.count > 1
    scores = vector and last is not None and last.op in ("dense", "avg_pool2d", *SOFTMAXES)
    return "cross-entropy" if scores else "mse"


class _Builder:
    """Collects backward nodes; implements ops.Tape."""

    def __init__(self, graph: Graph) -> None:
        self.tensors = dict(graph.tensors)
        self.forward = list(graph.nodes)
        self.nodes: list[Node] = []
        self._taken = set(graph.tensors) | {n.name for n in graph.nodes}
        self._partial: dict[str, list[str]] = {}
        self._wanted: set[str] = set()
        for node in graph.nodes:
            trained = any(i and self.tensors[i].role is Role.PARAM for i in node.inputs)
            if trained or self._wanted & set(node.inputs):
                self._wanted.update(node.outputs)

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.tensors[tensor].shape

    def wants(self, tensor: str) -> bool:
        return tensor in self._wanted

    def has_grad(self, tensor: str) -> bool:
        return tensor in self._partial

    def new(self, name: str, like: Tensor, role: Role = Role.GRAD) -> str:
        name = unique_name(name, self._taken)
        self._taken.add(name)
        self.tensors[name] = Tensor(name, like.shape, role, like.format)
        return name

    def emit(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], node: Node | None, phase: Phase, **attrs: Any
    ) -> None:
        name = unique_name(f"{node.name}_{op.removeprefix(node.op + '_')}" if node else op, self._taken)
        self._taken.add(name)
        origin = {"origin": node.origin} if node else {}
        self.nodes.append(Node(op, name, tuple(inputs), tuple(outputs), attrs, phase, **origin))

    def grad(self, tensor: str) -> str:
        parts = self._partial[tensor]
        while len(parts) > 1:
            first, second = parts.pop(0), parts.pop(0)
            total = self.new(f"d_{tensor}", self.tensors[tensor])
            self.emit("add", (first, second), (total,), None, Phase.BACKWARD)
            parts.insert(0, total)
        return parts[0]

    def pass_grad(self, tensor: str, grad: str) -> None:
        if self.wants(tensor):
            self._partial.setdefault(tensor, []).append(grad)

    def input_grad(self, op: str, tensor: str, inputs: Sequence[str], node: Node, **attrs: Any) -> None:
        if self.wants(tensor):
            like = self.tensors[tensor]
            out = self.new(f"d_{tensor}", like)
            self.emit(op, inputs, (out,), node, Phase.BACKWARD, **{**node.attrs, "x_shape": like.shape, **attrs})
            self.pass_grad(tensor, out)

    def weight_grad(self, op: str, weight: str, inputs: Sequence[str], node: Node, **attrs: Any) -> None:
        if self.trains(weight):
            out = f"{weight}_grad"
            if out not in self.tensors:
                self.new(out, self.tensors[weight])
            self.emit(op, inputs, (out,), node, Phase.BACKWARD, **{**node.attrs, "scale": 1.0, **attrs})

    def trains(self, weight: str) -> bool:
        return bool(weight) and self.tensors[weight].role is Role.PARAM

    def backward(self, op: str, like: Sequence[str], inputs: Sequence[str], node: Node) -> tuple[str, ...]:
        outputs = tuple(self.new(f"d_{name}", self.tensors[name]) for name in like)
        self.emit(op, inputs, outputs, node, Phase.BACKWARD, **node.attrs)
        return outputs

    def saved(self, node: Node, index: int, suffix: str, like: str = "") -> str:
        place = next(k for k, n in enumerate(self.forward) if n.name == node.name)
        current = self.forward[place]
        if len(current.outputs) > index:
            return current.outputs[index]
        shape = self.tensors[like or node.outputs[0]].shape
        fmt = OPS[node.op].formats[index]
        name = unique_name(f"{node.name}_{suffix}", self._taken)
        self._taken.add(name)
        self.tensors[name] = Tensor(name, shape, Role.MASK, fmt)
        self.forward[place] = Node(
            node.op, node.name, node.inputs, (*current.outputs, name), node.attrs, node.phase, node.origin
        )
        return name


def _dead(node: Node, tape: _Builder) -> bool:
    return not tape.has_grad(node.outputs[0]) or OPS[node.op].gradient is None


def own_target(graph: Graph, loss: str, wanted: str) -> bool:
    """Whether a sample is its own target; InputError if that is wanted of a model that does not give its input's shape.

    `wanted`: `given`, `sample`, or `auto`, which is `sample` for an autoencoder under mean squared error.
    """
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    layouts = [graph.meta.get(key) for key in ("input", "output")]
    alike = x.shape == y.shape and len({(a.user_shape, a.perm) for a in layouts if a}) <= 1
    if wanted == "sample" and (loss != "mse" or not alike):
        what = f"it is trained with {loss}" if loss != "mse" else f"it makes {y.shape} of {x.shape}"
        raise InputError(f"a sample can't be its own target: {what}", where="--target sample", hint="--target given")
    return wanted != "given" and loss == "mse" and alike


def differentiate(graph: Graph, loss: str, batch: int, own: bool = False) -> Graph:
    """The graph with target, loss and backward nodes; weight gradients accumulate into `<weight>_grad` (Role.GRAD).

    `loss` is one of LOSSES; the loss gradient carries the factor 1/batch. `own`: the sample is its own
    target, and there is no second input. InputError if the loss does not fit the model's output.
    """
    tape = _Builder(graph)
    output = graph.tensors[graph.outputs[0]]
    last = graph.producer(output.name)
    op = LOSSES[loss]
    predicted = output
    if takes_labels(loss):
        _check_scores(graph, loss)
        if last is not None and last.op in INSIDE[loss]:
            predicted = graph.tensors[last.inputs[0]]
        target = Tensor("target", (1,), Role.INPUT, U32)
    else:
        target = Tensor("target", output.shape, Role.INPUT)
    name = _sample_as_target(graph, tape) if own else tape.new(target.name, target, Role.INPUT)
    value = tape.new("loss", Tensor("loss", (1,), Role.ACT, F32), Role.ACT)
    seed = tape.new(f"d_{predicted.name}", predicted)
    tape.emit(op, (predicted.name, name), (value,), None, Phase.LOSS)
    tape.emit(f"{op}_bwd", (predicted.name, name), (seed,), None, Phase.BACKWARD, scale=1.0 / batch)
    tape.pass_grad(predicted.name, seed)
    for node in reversed(graph.nodes):
        if not _dead(node, tape):
            rule = OPS[node.op].gradient
            assert rule is not None
            rule(node, tape)
    meta = {**graph.meta, "loss": loss, "loss_tensor": value, "target": name, "batch": batch}
    inputs = graph.inputs if own else (*graph.inputs, name)
    return graph.replace(tensors=tape.tensors, nodes=[*tape.forward, *tape.nodes], inputs=inputs, meta=meta)


def _check_scores(graph: Graph, loss: str) -> None:
    output = graph.tensors[graph.outputs[0]]
    last = graph.producer(output.name)
    where = str(last.origin) if last else graph.name
    if loss == "binary-cross-entropy" and output.count != 1:
        raise InputError(
            f"binary-cross-entropy needs one output, a sigmoid or its logit, the model gives {output.shape}",
            where=where,
            hint="use --loss cross-entropy for scores of several classes, --loss mse for several sigmoids",
        )
    if loss in ("cross-entropy", "stablemax") and (output.count < 2 or output.count != output.shape[-1]):
        single = "--loss binary-cross-entropy for one output of a classifier of two classes, "
        raise InputError(
            f"{loss} needs a vector of at least two class scores, the model gives {output.shape}",
            where=where,
            hint=f"use {single if output.count == 1 else ''}--loss mse for a regression or an autoencoder",
        )


def _sample_as_target(graph: Graph, tape: _Builder) -> str:
    """The sample in float32; integers become the real numbers that they stand for once the loss needs them."""
    sample = graph.tensors[graph.inputs[0]]
    if sample.quant is None or sample.format is F32:
        return sample.name
    target = tape.new("target", Tensor("target", sample.shape, Role.ACT), Role.ACT)
    tape.emit("dequantize", (sample.name,), (target,), None, Phase.LOSS, **cast_attrs(sample.quant))
    return target
