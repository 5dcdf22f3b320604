"""Piecewise affine products: bits of products and sums, gradients against differences and torch, and training steps."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.ops import OPS
from edgelearn.ops.pam import SUFFIX, product, slope
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.share import firmware_dir
from edgelearn.training import training_graph
from tests.host.test_precision import Both
from tests.support import mobilenets, torch_pam
from tests.support.compare import apart, optim
from tests.support.nets import NETS, sample
from tools.compare_precision import TASKS, config_of, outcomes, score

EDGES = np.float32([
    0, -0.0, 1, -1.5, 1.75, 3.4e38, -3.4e38, 1.2e-38, -1.1754944e-38, 1.1754942e-38, 1e-40, -1.4e-45, np.inf, -np.inf,
    np.nan, 1e-20, 1e20, 1.9999999, 1.0000001,
])  # fmt: skip
BUILDERS = {**NETS, "mobilenet v3": mobilenets.v3, "mobilenet v2": mobilenets.v2}
CONFIGS = {
    "sgd": TrainConfig(lr=0.05, weight_decay=0.01),
    "momentum": TrainConfig(lr=0.02, momentum=0.9, batch=2, clip_norm=0.1),
    "adam": TrainConfig(lr=0.01, optimizer="adam"),
}


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Floats of any bits, of ordinary size, and all edges with all edges."""
    rng = np.random.default_rng(0)
    wild = rng.integers(0, 1 << 32, (2, count), dtype=np.uint64).astype(np.uint32).view(np.float32)
    tame = rng.normal(size=(2, count)).astype(np.float32)
    edges = np.array(np.meshgrid(EDGES, EDGES)).reshape(2, -1)
    a, b = np.concatenate([wild, tame, edges], axis=1)
    return a, b


def same_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    """Of NaN the place alone counts."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    real = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[real].view(np.uint32), wanted[real].view(np.uint32))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Two files of kernels; what C leaves undefined ends the test."""
    made = tmp_path_factory.mktemp("pam") / "pam.so"
    files = [firmware_dir() / "kernels" / "ref" / name for name in ("dense_pam.c", "arithmetic_pam.c")]
    flags = ["-std=c11", "-O2", "-shared", "-fPIC", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    subprocess.run(["cc", *flags, f"-I{firmware_dir()}/include", *files, "-o", made], check=True)
    return ctypes.CDLL(str(made))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def test_products_have_the_bits_of_the_rule(library: ctypes.CDLL) -> None:
    a, b = pairs(20000)
    found = np.full(len(a), 7, np.float32)
    library.el_mul_fwd_pam__ref(1, len(a), pointer(a), pointer(b), pointer(found))
    same_bits(found, product(a, b))


def test_a_product_is_the_piecewise_affine_function() -> None:
    """Against arithmetic on fractions; a ninth too small at worst, exact for powers of two, commutative."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 5000))
    for dtype in (np.float32, np.float64):
        x, y = a.astype(dtype), b.astype(dtype)
        found = product(x, y)
        wanted = torch_pam.times(*map(torch.tensor, (x.astype(float), y.astype(float)))).numpy()
        # float64 rounds 1 + f + g as arithmetic, not as bits; of float32 operands nothing is rounded.
        np.testing.assert_allclose(found, wanted, rtol=4e-16 if dtype is np.float64 else 0)
        np.testing.assert_array_equal(found, product(y, x))
        ratio = found / (x.astype(float) * y)
        assert ratio.max() <= 1 + 1e-6
        assert ratio.min() >= 8 / 9 - 1e-6
        np.testing.assert_array_equal(product(x, np.full_like(x, -0.25)), x * dtype(-0.25))
    np.testing.assert_array_equal(slope(a, b), torch_pam.slope(torch.tensor(a), torch.tensor(b)).numpy())


def summed(start: np.float32, a: np.ndarray, b: np.ndarray) -> np.float32:
    """In numpy's float32, one term after another; what is no normal number is zero, as it is in el/pam.h."""
    total = start
    with np.errstate(over="ignore", invalid="ignore"):
        for term in product(a, b):
            total = np.float32(total + term)
            total = np.float32(0) if abs(total) < np.float32(2.0**-126) else total
    return total


def test_sums_have_the_bits_of_float_sums(library: ctypes.CDLL) -> None:
    """Cancellation, far and near exponents, ties, zeros, overflow and underflow, infinities and NaN."""
    rng = np.random.default_rng(2)
    found, wanted = np.zeros(1500, np.float32), []
    for k in range(1500):
        n = int(rng.integers(1, 40))
        spread = (0.5, 4, 14, 40)[k % 4]
        a, b = (rng.normal(size=(2, n)) * np.exp2(rng.uniform(-spread, spread, (2, n)))).astype(np.float32)
        if k % 3 == 0:  # few bits: ties, and sums that are zero
            a, b = np.round(a * 4) / 4, np.sign(b) * np.exp2(np.round(np.log2(np.abs(b) + 1e-9)))
        a, b = a.astype(np.float32), b.astype(np.float32)
        if k % 5 == 0:
            b[n // 2 :] = -b[: n - n // 2]
            a[n // 2 :] = a[: n - n // 2]
        if k % 50 == 7:
            a[0], b[0] = EDGES[k % len(EDGES)], EDGES[k // 50 % len(EDGES)]
        if k % 50 == 9:
            a *= np.float32(2.0 ** (60 if k % 100 == 9 else -62))
            b *= np.float32(2.0 ** (64 if k % 100 == 9 else -62))
        start = np.float32(0 if k % 2 else rng.normal())
        library.el_dense_fwd_pam__ref(n, 1, *map(pointer, (a, b, np.array([start]), found[k:])))
        wanted.append(summed(start, a, b))
    same_bits(found + 0, np.array(wanted) + np.float32(0))  # a sum that is zero is +0


STEPS = [(net, "sgd", multiply) for net in BUILDERS for multiply in ("pam", "pam-exact")]
STEPS += [("residual_net", rule, multiply) for rule in ("momentum", "adam") for multiply in ("pam", "pam-exact")]


@pytest.mark.parametrize(("net", "config", "multiply"), STEPS)
def test_the_generated_code_takes_the_references_steps(net: str, config: str, multiply: str, tmp_path: Path) -> None:
    """Three updates: losses to 1e-5, weights to 1e-5 of each tensor's largest value."""
    chosen = CONFIGS[config].with_changes(multiply=multiply)
    both = Both(BUILDERS[net](), chosen, tmp_path)
    both.train(3 * chosen.batch)
    assert both.worst <= 1e-5
    error, where = apart(both.model.weights(), both.oracle.weights())
    assert error <= 1e-5, where


# Without recurrent layers and transposed convolutions, whose products torch has no rule for here.
@pytest.mark.parametrize("multiply", ["pam", "pam-exact"])
@pytest.mark.parametrize("net", ["mlp", "conv1d_net", "residual_net", "autoencoder"])
def test_torch_takes_the_same_steps(net: str, multiply: str, tmp_path: Path) -> None:
    """Three updates in C against torch in float64 with autograd rules of its own, to 1e-5 of each largest value. A sum
    that is rounded may carry where the exact one does not, which the seeds of these samples do not meet."""
    source, config = NETS[net](), TrainConfig(lr=0.05, multiply=multiply)
    both = Both(source, config, tmp_path)
    torch_net = torch_pam.PamGraph(source, {t.name for t in both.plan.graph.of_role(Role.PARAM)}, multiply != "pam")
    for x, target in both.data[:3]:
        both.model.train(x, target)
        torch_net.descend(x, target, both.plan.graph.meta["loss"], config.lr)
    truth = torch_net.weights(set(both.model.weights()))
    error, where = apart(both.model.weights(), truth)
    assert error <= 1e-5, where
    start = {n: np.asarray(source.tensors[n].data) for n in truth}
    assert apart(truth, start)[0] > 1e-4


EXAMPLES = [(op, k) for op in ("conv2d", "depthwise_conv2d", "dense") for k in range(len(OPS[op].examples))]


@pytest.mark.parametrize(("op", "k"), EXAMPLES)
def test_exact_derivatives_against_differences(op: str, k: int) -> None:
    """In float64, of a random sum of outputs: the function is affine between its kinks, so differences are exact."""
    attrs, (x_shape, w_shape, _) = OPS[op].examples[k].attrs, OPS[op].examples[k].shapes
    assert x_shape is not None
    assert w_shape is not None
    rng = np.random.default_rng(k)
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    forward = OPS[f"{op}{SUFFIX}"].compute
    dy = rng.normal(size=forward(attrs, x, w)[0].shape)
    dx = OPS[f"{op}_exact_bwd_x{SUFFIX}"].compute(attrs, dy, w, x)[0]
    dw = OPS[f"{op}_exact_bwd_w{SUFFIX}"].compute(attrs, x, dy, w)[0]
    for operand, gradient in ((x, np.asarray(dx)), (w, np.asarray(dw))):
        for at in rng.choice(operand.size, min(12, operand.size), replace=False):
            kept, values = operand.flat[at], []
            for h in (2.0**-24, -(2.0**-24)):
                operand.flat[at] = kept + h
                values.append(float(np.sum(dy * forward(attrs, x, w)[0])))
            operand.flat[at] = kept
            difference = (values[0] - values[1]) * 2.0**23
            assert difference == pytest.approx(gradient.flat[at], abs=1e-6 * np.abs(gradient).max())


def test_a_whole_net_has_the_exact_derivatives(tmp_path: Path) -> None:
    """Every weight of a net of layers and ReLU, by differences in float64."""
    source = NETS["mlp"]()
    graph = training_graph(source, TrainConfig(batch=2, multiply="pam-exact"))
    graph = graph.replace(nodes=[_unscaled(n) for n in graph.nodes if n.phase is not Phase.UPDATE])
    x, target = sample(source, 3, graph.meta["loss"])
    oracle = Reference(graph, np.float64)
    oracle.train(x, target)
    rng = np.random.default_rng(4)
    for weight in graph.of_role(Role.PARAM):
        gradient, base = np.asarray(oracle.values[f"{weight.name}_grad"]), oracle.values[weight.name].copy()
        for at in rng.choice(base.size, min(6, base.size), replace=False):
            losses = []
            for h in (1e-7, -1e-7):
                moved = base.copy()
                moved.flat[at] += h
                oracle.load({weight.name: moved})
                losses.append(oracle.loss(x, target))
            oracle.load({weight.name: base})
            assert (losses[0] - losses[1]) / 2e-7 == pytest.approx(gradient.flat[at], abs=1e-5), weight.name


def _unscaled(node: Node) -> Node:
    """With the loss of one sample in the place of a batch's mean."""
    if node.op != "softmax_xent_bwd":
        return node
    return Node(node.op, node.name, node.inputs, node.outputs, {**node.attrs, "scale": 1.0}, node.phase, node.origin)


def peak(source: Graph, **settings: object) -> int:
    return make_plan(source, TrainConfig().with_changes(**settings), load("qemu-m3")).arena_bytes


def test_the_plan_shows_what_exact_derivatives_need() -> None:
    """Where weights train, inputs are kept anyway; where biases alone train, only exact derivatives need them."""
    source = mobilenets.v2()
    assert peak(source, multiply="pam") == peak(source)
    assert peak(source, multiply="pam", method="bias") == peak(source, method="bias")
    assert peak(source, multiply="pam-exact", method="bias") > peak(source, method="bias")


def test_gradients_go_straight_into_the_weights() -> None:
    """Although the exact gradient of a weight reads it: no buffer is needed, and none is planned."""
    for multiply in ("pam", "pam-exact"):
        graph = training_graph(NETS["mlp"](), TrainConfig(multiply=multiply))
        assert not any(n.op.startswith("sgd_step") for n in graph.nodes)
        assert all(n.outputs[0] in n.inputs for n in graph.nodes if "exact_bwd_w" in n.op)


def test_settings_of_an_update_are_the_references() -> None:
    """Every update rule has such products; nothing else multiplies in one."""
    o = optim(TrainConfig(lr=0.3, momentum=0.7, weight_decay=0.1))
    w, g, v = (np.float32([1.7, -0.3, 2.5]) * k for k in (1, 2, 3))
    f = np.float32
    t = v + product(f(0.1), w) + product(f(1), g)
    found = OPS["momentum_step_pam"].compute(o, g, w, v)
    np.testing.assert_array_equal(found[0], w - product(f(0.3), t))
    np.testing.assert_array_equal(found[1], product(f(0.7), t))


def test_the_watch_learns_as_much() -> None:
    """Two of the five seeds of docs/PAM.md: within 0.5 points of float products."""
    task = TASKS["wearable"]
    means = {}
    for multiply in ("float", "pam"):
        found = outcomes(task, config_of(task, "fp32", multiply=multiply), range(2))
        means[multiply] = float(np.mean([score(o) for o in found]))
    assert means["float"] > 0.97
    assert means["pam"] >= means["float"] - 0.005
