"""A batch through the host's network: the numpy one against torch, and against the device's graph sample by sample."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn.graph import Graph, Node, Role
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.partition import partition
from edgelearn.reference import Reference
from edgelearn.shift.network import Network
from edgelearn.shift.torch_network import TorchNetwork
from tests.support.nets import Net

BATCH = 6
FROZEN = ("mean", "inv_std")


def convolutional(*, norms: bool) -> tuple[Graph, dict[str, float]]:
    """A net with its loss, and the epsilon of each of its norms."""
    net = Net((9, 7, 3), seed=1)
    net.conv(8, (3, 3), pads=(1, 1, 1, 1), bias=not norms)
    if norms:
        net.norm()
    net.relu(limit=6.0)
    net.depthwise((3, 3), (2, 2), (1, 1, 1, 1))
    if norms:
        net.norm()
    short = net.relu(slope=0.1)
    net.conv(8, (1, 1))
    net.add("add", short)
    net.pool("max_pool2d", (2, 2), (2, 2))
    net.dense(4)
    graph = net.graph()
    for name, tensor in net.tensors.items():
        if name.endswith("_inv_std") and tensor.data is not None:
            tensor.data[:] = np.abs(tensor.data) + 0.1
    trained = {t.name for t in graph.tensors.values() if t.data is not None and not t.name.endswith(FROZEN)}
    live = {n.inputs[3]: epsilon for n, epsilon in zip(_norms(graph), (1e-5, 1e-3), strict=False)}
    return differentiate(partition(graph, trained), "cross-entropy", 1), live


def _norms(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op == "batch_norm"]


def batch(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(BATCH, *graph.tensors["x"].shape)).astype(np.float32)
    return x, rng.integers(0, 4, BATCH)


@pytest.mark.parametrize("norms", [False, True])
def test_numpy_and_torch_agree(norms: bool) -> None:
    graph, live = convolutional(norms=norms)
    ours, theirs = Network(graph, live), TorchNetwork(graph, live)
    x, y = batch(graph)
    for _ in range(2):  # the second time with other running statistics
        (found, losses), (expected, wanted) = ours.learn(x, y), theirs.learn(x, y)
        np.testing.assert_allclose(found.reshape(BATCH, -1), expected.reshape(BATCH, -1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    assert ours.grads.keys() == theirs.grads.keys() == {t.name for t in graph.of_role(Role.PARAM)}
    for name, grad in ours.grads.items():
        np.testing.assert_allclose(grad, theirs.grads[name], rtol=1e-3, atol=2e-5, err_msg=name)
    for name, value in ours.values.items():
        if name.endswith(FROZEN):
            np.testing.assert_allclose(value, theirs.values[name], rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), rtol=1e-4, atol=1e-4)


def test_without_norms_a_batch_is_the_devices_samples_one_by_one() -> None:
    graph, _ = convolutional(norms=False)
    net, device = Network(graph), Reference(graph)
    x, y = batch(graph)
    net.learn(x, y)
    for sample, label in zip(x, y, strict=True):
        device.loss(sample, int(label))
        device.backward()
    for name, grad in net.grads.items():
        np.testing.assert_allclose(grad * BATCH, device.values[f"{name}_grad"], rtol=1e-3, atol=1e-5, err_msg=name)


def test_norms_with_statistics_of_their_own_keep_them() -> None:
    graph, live = convolutional(norms=True)
    first, second = live
    net = Network(graph, {first: live[first]})
    held = {name: net.values[name].copy() for name in (first, second)}
    x, y = batch(graph)
    net.learn(x, y)
    assert not np.array_equal(net.values[first], held[first])
    np.testing.assert_array_equal(net.values[second], held[second])
    torch_net = TorchNetwork(graph, {first: live[first]})
    torch_net.learn(x, y)
    for name, grad in net.grads.items():
        np.testing.assert_allclose(grad, torch_net.grads[name], rtol=1e-3, atol=2e-5, err_msg=name)
