"""A forward graph run by torch, with autograd and torch's own optimizers: the second oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node
from tests.support import torch_recurrent

Values = dict[str, torch.Tensor]


def _chw(x: torch.Tensor) -> torch.Tensor:
    return x.permute(2, 0, 1)[None]


def _hwc(x: torch.Tensor) -> torch.Tensor:
    return x[0].permute(1, 2, 0)


def _padded(x: torch.Tensor, attrs: Mapping[str, Any], value: float = 0.0) -> torch.Tensor:
    top, left, bottom, right = attrs["pads"]
    return F.pad(_chw(x), (left, right, top, bottom), value=value)


def _conv(a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    # Contiguous on purpose: torch 2.13 gives a wrong weight gradient for grouped channels-last weights on the CPU. A
    # 1x1 kernel lies both ways, and then the input's order decides.
    kernel = w.permute(0, 3, 1, 2).contiguous()
    return _hwc(F.conv2d(_padded(x, a).contiguous(), kernel, b, stride=a["stride"], groups=a["groups"]))


def _depthwise(a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    kernel = w.permute(2, 0, 1)[:, None]
    return _hwc(F.conv2d(_padded(x, a), kernel, b, stride=a["stride"], groups=x.shape[2]))


def _avg(a: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
    kernel, stride = a["kernel"], a["stride"]
    total = F.avg_pool2d(_padded(x, a), kernel, stride)
    if a["count_pad"]:
        return _hwc(total)
    share = F.avg_pool2d(_padded(torch.ones_like(x), a), kernel, stride)
    return _hwc(total / share)


def _batch_norm(a: Mapping[str, Any], x: torch.Tensor, *p: torch.Tensor) -> torch.Tensor:
    gamma, beta, mean, inv_std = p
    return (x - mean) * inv_std * gamma + beta


def _relu(a: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
    y = F.leaky_relu(x, a["slope"]) if a["slope"] else F.relu(x)
    return y if np.isinf(a["max"]) else torch.clamp(y, max=a["max"])


def _rows(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`b` as often as it repeats in `x`."""
    return b.reshape(-1).repeat(x.numel() // b.numel()).reshape(x.shape)


def _conv_transpose(a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    depthwise = w.ndim == 3
    kernel = (w.permute(2, 0, 1)[:, None] if depthwise else w.permute(0, 3, 1, 2)).contiguous()
    groups = x.shape[2] if depthwise else a["groups"]
    whole = F.conv_transpose2d(_chw(x).contiguous(), kernel, stride=a["stride"], groups=groups)
    (top, left, bottom, right), (more_h, more_w) = a["pads"], a["output_padding"]
    return _hwc(F.pad(whole, (-left, more_w - right, -top, more_h - bottom)))


def _layer_norm(a: Mapping[str, Any], x: torch.Tensor, g: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    rows = x.reshape(-1, g.numel())
    bias = None if b is None else b.reshape(-1)
    return F.layer_norm(rows, rows.shape[1:], g.reshape(-1), bias, a["epsilon"]).reshape(x.shape)


def _instance_norm(
    a: Mapping[str, Any], x: torch.Tensor, g: torch.Tensor, b: torch.Tensor | None = None
) -> torch.Tensor:
    if x.shape[0] * x.shape[1] == 1:  # which torch refuses
        return 0 * x + (0 * g if b is None else b)
    return _hwc(F.instance_norm(_chw(x), weight=g, bias=b, eps=a["epsilon"]))


OPS: dict[str, Callable[..., torch.Tensor]] = {
    "conv2d": _conv,
    "depthwise_conv2d": _depthwise,
    "dense": lambda a, x, w, b=None: F.linear(x.reshape(-1), w, b),
    "batch_norm": _batch_norm,
    "relu": _relu,
    "sigmoid": lambda a, x: torch.sigmoid(x),
    "tanh": lambda a, x: torch.tanh(x),
    "softmax": lambda a, x: torch.softmax(x, -1),
    "log_softmax": lambda a, x: torch.log_softmax(x, -1),
    "max_pool2d": lambda a, x: _hwc(F.max_pool2d(_padded(x, a, -np.inf), a["kernel"], a["stride"])),
    "avg_pool2d": _avg,
    "add": lambda a, x, y: x + y,
    "pad": lambda a, x: _hwc(_padded(x, a, a["value"])),
    "transpose": lambda a, x: x.permute(a["perm"]),
    "reshape": lambda a, x: x.reshape(a["shape"]),
    "bias": lambda a, x, b: x + _rows(x, b),
    "sub": lambda a, x, b: x - _rows(x, b),
    "mul": lambda a, x, b: x * _rows(x, b),
    "reciprocal": lambda a, x: torch.reciprocal(x),
    "clip": lambda a, x: torch.clamp(x, a["low"], a["high"]),
    "hard_sigmoid": lambda a, x: torch.clamp(a["alpha"] * x + a["beta"], 0, 1),
    "hard_swish": lambda a, x: F.hardswish(x),
    "hard_swish_signed": lambda a, x: _Signed.apply(x),
    "silu": lambda a, x: F.silu(x),
    "gelu": lambda a, x: F.gelu(x),
    "gelu_tanh": lambda a, x: F.gelu(x, approximate="tanh"),
    "softplus": lambda a, x: F.softplus(x, threshold=100),
    "elu": lambda a, x: F.elu(x, a["alpha"]),
    "prelu": lambda a, x, slope: torch.where(x < 0, _rows(x, slope) * x, x),
    "concat": lambda a, x, y: torch.cat((x, y), a["axis"]),
    "slice": lambda a, x: x.narrow(a["axis"], a["start"], a["stop"] - a["start"]),
    "layer_norm": _layer_norm,
    "instance_norm": _instance_norm,
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv_transpose2d": _conv_transpose,
    **torch_recurrent.OPS,
}


class _Signed(torch.autograd.Function):
    """Hard-swish with MobileTL's derivative: 1 where x >= 0, else 0."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return F.hardswish(x)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return dy * (x >= 0)


class TorchGraph:
    """The imported graph with its trained weights as leaves."""

    def __init__(self, graph: Graph, trained: set[str], dtype: torch.dtype = torch.float64) -> None:
        self.graph, self.dtype = graph, dtype
        self.values: Values = {}
        for tensor in graph.tensors.values():
            if tensor.data is not None:
                value = torch.tensor(np.array(tensor.data), dtype=dtype)
                self.values[tensor.name] = value.requires_grad_(tensor.name in trained)
        self.trained = [self.values[name] for name in sorted(trained)]

    def _run(self, node: Node, values: Values) -> torch.Tensor:
        operands = [values[name] if name else None for name in node.inputs]
        return OPS[node.op](node.attrs, *operands)

    def loss(self, x: np.ndarray, target: np.ndarray | int, loss: str) -> torch.Tensor:
        values = dict(self.values)
        values[self.graph.inputs[0]] = torch.tensor(x, dtype=self.dtype)
        for node in self.graph.nodes:
            values[node.outputs[0]] = self._run(node, values)
        last = self.graph.nodes[-1]
        if loss == "mse":
            goal = torch.tensor(np.asarray(target), dtype=self.dtype)
            return F.mse_loss(values[self.graph.outputs[0]].reshape(-1), goal.reshape(-1))
        if loss == "binary-cross-entropy":
            logit = values[last.inputs[0] if last.op == "sigmoid" else last.outputs[0]].reshape(1)
            return F.binary_cross_entropy_with_logits(logit, torch.tensor([float(target)], dtype=self.dtype))
        logits = values[last.inputs[0] if last.op in ("softmax", "log_softmax") else last.outputs[0]]
        if loss == "stablemax":
            s = torch.where(logits < 0, 1 / (1 - logits.clamp(max=0)), logits + 1).reshape(-1)
            return s.sum().log() - s[int(target)].log()
        return F.cross_entropy(logits.reshape(1, -1), torch.tensor([int(target)]))

    def optimizer(self, config: TrainConfig) -> torch.optim.Optimizer:
        if config.optimizer == "sgd":
            return torch.optim.SGD(self.trained, config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
        betas = (config.momentum, config.beta2)
        return kind(self.trained, config.lr, betas, config.epsilon, config.weight_decay)

    def fit(self, batches: list[list[tuple[np.ndarray, np.ndarray | int]]], loss: str, config: TrainConfig) -> None:
        """One update a batch, the mean loss of its samples."""
        optimizer = self.optimizer(config)
        for batch in batches:
            optimizer.zero_grad()
            torch.stack([self.loss(x, t, loss) for x, t in batch]).mean().backward()
            if config.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.trained, config.clip_norm)
            optimizer.step()

    def weights(self, names: set[str]) -> dict[str, np.ndarray]:
        return {name: self.values[name].detach().numpy() for name in names}

    def gradients(self, names: set[str]) -> dict[str, np.ndarray]:
        return {n: self.values[n].grad.numpy() for n in names if self.values[n].grad is not None}
