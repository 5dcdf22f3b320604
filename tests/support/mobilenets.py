"""Small nets of inverted residual blocks, in device layout."""

from __future__ import annotations

from collections.abc import Callable

from edgelearn.graph import Graph
from tests.support.nets import Net


def act(net: Net, kind: str) -> str:
    return net.add("hard_swish") if kind == "hard_swish" else net.relu(limit=6.0 if kind == "relu6" else float("inf"))


def inverted(
    net: Net, out: int, expand: int, kind: str, stride: int = 1, norms: bool = True, gate: bool = False
) -> str:
    """expand 1x1, depthwise 3x3, [squeeze and excitation], project 1x1, and the sum with the input if shapes allow."""
    start = net.last
    channels = net.tensors[start].shape[2]

    def norm() -> None:
        if norms:
            net.norm()

    if expand > 1:
        net.conv(channels * expand, (1, 1), bias=not norms)
        norm()
        act(net, kind)
    if norms:
        channels = net.tensors[net.last].shape[2]
        name = f"depthwise{len(net.nodes)}"
        weight = net.weight(f"{name}_weight", (3, 3, channels), scale=0.4)
        attrs = {"kernel": (3, 3), "stride": (stride, stride), "pads": (1, 1, 1, 1), "multiplier": 1}
        net.add("depthwise_conv2d", weight, "", name=name, **attrs)
    else:
        net.depthwise((3, 3), (stride, stride), (1, 1, 1, 1))
    norm()
    wide = act(net, kind)
    if gate:
        net.mean()
        net.conv(max(2, net.tensors[wide].shape[2] // 4), (1, 1))
        net.relu()
        net.conv(net.tensors[wide].shape[2], (1, 1))
        squeezed = net.add("hard_sigmoid", alpha=1 / 6, beta=0.5)
        net.add("mul", squeezed, x=wide)
    net.conv(out, (1, 1), bias=not norms)
    norm()
    if stride == 1 and net.tensors[start].shape == net.tensors[net.last].shape:
        net.add("add", start)
    return net.last


def _stem(name: str, seed: int, kind: str, norms: bool, channels: int = 6) -> Net:
    net = Net((9, 7, 3), name, seed)
    net.conv(channels, (3, 3), (2, 2), (1, 1, 1, 1), bias=not norms)
    if norms:
        net.norm()
    act(net, kind)
    return net


def _head(net: Net) -> Graph:
    net.mean()
    net.dense(4)
    return net.graph()


def v1(seed: int = 0, norms: bool = True) -> Graph:
    """Depthwise separable layers: a ReLU behind the projection too."""
    net = _stem("v1", seed, "relu", norms)
    for out, stride in ((8, 1), (10, 2)):
        inverted(net, out, 1, "relu", stride, norms)
        act(net, "relu")
    return _head(net)


def v2(seed: int = 0, norms: bool = True) -> Graph:
    net = _stem("v2", seed, "relu6", norms)
    inverted(net, 5, 1, "relu6", norms=norms)
    inverted(net, 5, 3, "relu6", norms=norms)
    inverted(net, 7, 2, "relu6", 2, norms=norms)
    return _head(net)


def v3(seed: int = 0, norms: bool = True) -> Graph:
    """With squeeze and excitation, and a widening convolution behind the blocks."""
    net = _stem("v3", seed, "hard_swish", norms)
    inverted(net, 6, 2, "relu", norms=norms, gate=True)
    inverted(net, 5, 3, "hard_swish", norms=norms)
    inverted(net, 5, 4, "hard_swish", norms=norms, gate=True)
    net.conv(11, (1, 1), bias=not norms)
    if norms:
        net.norm()
    act(net, "hard_swish")
    return _head(net)


MOBILENETS: dict[str, Callable[..., Graph]] = {"v1": v1, "v2": v2, "v3": v3}
