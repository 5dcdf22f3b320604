"""Layers that shift: exact products, the same steps as in float, fewer bytes of flash."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edgelearn import kernels
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Phase, Role
from edgelearn.ops.shift import decode, encode, pack
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.host.test_methods import three_updates
from tests.support.mobilenets import v2, v3
from tests.support.nets import NETS, sample
from tests.support.shifts import all_but_ends, shifted
from tools.bench import probe

EDGES = np.float32(
    [
        0,
        -0.0,
        1,
        -1.5,
        3.4e38,
        -3.4e38,
        1.2e-38,
        -1.1754944e-38,
        1e-40,
        -1.4e-45,
        np.inf,
        -np.inf,
        np.nan,
        2.5e-36,
        7e37,
    ]
)


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("k", [0, 5, 118, -110])
def test_a_product_has_the_bits_of_a_float_product(bits: int, k: int) -> None:
    """Zeros, subnormals, overflow, infinities and NaN included."""
    codes = np.arange(1 << bits, dtype=np.uint8)
    weights = decode(codes, bits, k)
    np.testing.assert_array_equal(encode(weights, bits, k), codes)
    calls = []
    for x in EDGES:
        one = np.array([x], np.float32)
        calls.append(
            ("el_dense_shift_fwd_f32__ref", [1, len(codes), bits, k, one, pack(codes, bits), None, 0 * weights])
        )
        calls.append(("el_dense_fwd_f32__ref", [1, len(codes), one, weights, None, 0 * weights]))
    results = probe.run("host", calls)
    for shift, plain in zip(results[::2], results[1::2], strict=True):
        found, wanted = shift.arrays[7], plain.arrays[5]
        np.testing.assert_array_equal(found, wanted)  # a NaN's sign means nothing
        real = ~np.isnan(wanted)
        np.testing.assert_array_equal(found[real].view(np.uint32), wanted[real].view(np.uint32))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_packing_takes_so_many_bits(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(0, 1 << bits, 37, dtype=np.uint8)
    packed = pack(codes, bits)
    assert len(packed) == -(-37 * bits // 8)
    number = int.from_bytes(packed.tobytes(), "little")
    np.testing.assert_array_equal([number >> k * bits & ((1 << bits) - 1) for k in range(37)], codes)


def test_what_is_no_power_has_no_code() -> None:
    for value in (0.0, 3.0, 2.0**-6, 2.0**4, np.nan, np.inf):
        assert encode(np.float32([1.0, value]), 3, 0) is None


@pytest.mark.parametrize("settings", [{"method": "last"}, {"method": "bias"}, {"method": "full", "blocks": 1}])
@pytest.mark.parametrize("net", [v2, v3, NETS["conv1d_net"]], ids=["v2", "v3", "conv1d"])
def test_training_in_front_of_and_behind_layers_that_shift(net, settings, tmp_path) -> None:
    """numpy, generated C and torch, which knows nothing of shifts, take the same three updates."""
    source = all_but_ends(net())
    if "blocks" in settings and net is NETS["conv1d_net"]:
        settings = {"method": "full", "train": "last"}
    config = TrainConfig(lr=0.05, **settings)
    graph = training_graph(source, config)
    found = {node.op for node in graph.nodes if "_shift" in node.op}
    assert any(op.endswith("shift") for op in found)
    assert any(op.endswith("_bwd_x") for op in found) == (settings["method"] == "bias")
    assert three_updates(source, config, tmp_path) > 1e-4


def test_flash_is_that_of_the_bits() -> None:
    source = NETS["mlp"]()
    board = msgspec.structs.replace(load("host"), kernels=("ref",))  # others decode weights into scratch
    layer = next(n for n in source.nodes[1:] if n.op == "dense")
    config = TrainConfig(method="last")
    plain = make_plan(source, config, board)
    small = make_plan(shifted(source, {layer.name: 3}), config, board)
    count = source.tensors[layer.inputs[1]].count
    assert plain.consts.used - small.consts.used == 4 * count - -(-3 * count // 8)
    assert small.graph.meta["shifted"] == (layer.name,)
    assert plain.ram == small.ram


def test_what_trains_stays_float() -> None:
    source = all_but_ends(NETS["conv1d_net"]())
    graph = training_graph(source, TrainConfig(method="full"))
    assert not any("_shift" in node.op for node in graph.nodes)
    assert "shifted" not in graph.meta


def test_weights_that_changed_since_they_were_marked_stay_float() -> None:
    source = all_but_ends(NETS["conv1d_net"]())
    name = next(iter(source.meta["shift"]))
    source.tensors[name].data.flat[0] *= 1.1
    graph = training_graph(source, TrainConfig(method="last"))
    assert source.tensors[name].shape in [t.shape for t in graph.of_role(Role.CONST) if t.name == name]


def test_in_halves_products_are_exact_too() -> None:
    source = all_but_ends(v3())
    config = TrainConfig(method="last", precision="fp16")
    device, plain = (
        Reference(training_graph(graph, config))
        for graph in (source, source.replace(meta={k: v for k, v in source.meta.items() if k != "shift"}))
    )
    assert any(n.op.endswith("_shift_f16") for n in device.graph.nodes if n.phase is Phase.FORWARD)
    x, _ = sample(source, 1, "cross-entropy")
    unfolded = training_graph(source.replace(meta={**source.meta}), config)
    assert unfolded.meta["shifted"]
    np.testing.assert_allclose(device.forward(x), plain.forward(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_sums_in_integers_are_as_near_as_sums_in_floats(bits: int) -> None:
    """Terms of all sizes: n * 2^-24 of the sum of absolute values at most, whatever the order of the lists."""
    rng = np.random.default_rng(bits)
    calls, wanted, bounds = [], [], []
    for n in (1, 2, 9, 64, 300, 1200):
        for spread in (0, 4, 30):
            x = (rng.normal(size=n) * 2.0 ** rng.uniform(-spread, spread, n)).astype(np.float32)
            codes = rng.integers(0, 1 << bits, (5, n), dtype=np.uint8)
            weights = decode(codes, bits, 3, np.float64)
            wanted.append(weights @ x)
            bounds.append((n + 1) * 2.0**-24 * (np.abs(weights) @ np.abs(x)))
            entry = kernels.find("dense_shift_fwd", "f32", "fix")
            assert entry is not None
            args = [n, 5, bits, 3, x, pack(codes, bits), None, np.zeros(5, np.float32)]
            calls.append(probe.call_of(args, entry.bind({"in": n, "out": 5})))
    for result, want, bound in zip(probe.run("host", calls), wanted, bounds, strict=True):
        assert (np.abs(result.arrays[7] - want) <= bound).all()


@pytest.mark.parametrize("isa", ["blk", "fix"])
@pytest.mark.parametrize("k", [0, 5, 118, -110])
def test_single_terms_are_exact_and_what_is_no_number_stays_none(isa: str, k: int) -> None:
    """A sum of one term is the plain kernel's, bit by bit; NaN and infinities go through sums."""
    codes = np.arange(16, dtype=np.uint8)
    entry = kernels.find("dense_shift_fwd", "f32", isa)
    assert entry is not None
    calls = []
    for x in EDGES:
        for rest in ((), (1.0, 2.0)):
            row = np.float32([x, *rest])
            weights = pack(np.repeat(codes, len(row)), 4)
            args = [len(row), 16, 4, k, row, weights, None, np.zeros(16, np.float32)]
            calls += [
                ("el_dense_shift_fwd_f32__ref", args),
                probe.call_of(args, entry.bind({"in": len(row), "out": 16})),
            ]
    results = probe.run("host", calls)
    for n, (plain, other) in enumerate(zip(results[::2], results[1::2], strict=True)):
        wanted, found = plain.arrays[7], other.arrays[7]
        if n % 2 == 0 or not np.isfinite(wanted).all():
            np.testing.assert_array_equal(found, wanted)
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
