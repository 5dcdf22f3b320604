"""Ranges of activations: by each method, from few values, from none that differ."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from edgelearn.calibrate import HALF, METHODS, OUTSIDE, Histogram, calibrate, pick
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.ops.quantized.convert import quant_between, quantized
from edgelearn.passes.dequantize import real
from tests.support.nets import NETS, Net


def histogram(values: np.ndarray, parts: int = 1) -> Histogram:
    seen = Histogram()
    for part in np.array_split(values, parts):
        seen.add(part)
    return seen


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    quant = quant_between(low, high)
    return float(((real(quantized(quant, values), quant).astype(np.float64) - values) ** 2).sum())


@pytest.mark.parametrize("seed", range(3))
def test_bins_widen_without_losing_a_value(seed: int) -> None:
    """Values that grow by powers of two are counted as if all had been known from the start."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=6000) * np.repeat(2.0 ** np.arange(6), 1000)
    slowly, at_once = histogram(values, 60), histogram(values)
    assert slowly.limit == at_once.limit
    np.testing.assert_array_equal(slowly.counts, at_once.counts)
    assert (slowly.low, slowly.high) == (values.min(), values.max())
    expected, _ = np.histogram(values, at_once.edges)
    np.testing.assert_array_equal(slowly.counts, expected)


def test_values_of_all_sizes_stay_counted() -> None:
    seen = histogram(np.array([0.0, 1e-30, -1.0, 1e30]), 4)
    assert seen.counts.sum() == 4
    assert seen.counts[-1] == 0
    assert np.flatnonzero(seen.counts).tolist() == [HALF - 1, HALF, int(HALF + 1e30 / seen.limit * HALF)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.0, 0.0], 0.0, 0.0),
        ([3.5], 0.0, 3.5),
        ([-2.0, -1.0, -1.5], -2.0, 0.0),
        ([1e-42], 0.0, 1e-42),
        ([2e38, -2e38], -2e38, 2e38),
    ],
)
def test_degenerate_values(method: str, values: list[float], low: float, high: float) -> None:
    """One value, one sign, nothing but zero, the ends of float32: the scale is a number, and what was seen survives."""
    found = METHODS[method](histogram(np.array(values)))
    quant = quant_between(*found)
    assert np.isfinite(np.float32(quant.scale[0]))
    assert quant.scale[0] > 0
    back = real(quantized(quant, np.array(values, np.float32)), quant)
    np.testing.assert_allclose(back, values, atol=quant.scale[0] / 2 * 1.0001)
    reach = real(np.array([-128, 127]), quant).astype(np.float64)
    assert reach[0] <= low + quant.scale[0]
    assert reach[1] >= high - quant.scale[0]
    assert 0.0 in real(np.arange(-128, 128), quant)


def test_minmax_is_all_that_was_seen() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    assert METHODS["minmax"](histogram(values)) == (values.min(), values.max())


def test_percentile_leaves_out_what_is_farthest_out() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    seen = histogram(values)
    low, high = METHODS["percentile"](seen)
    bin_width = seen.limit / HALF
    wanted = np.quantile(values, [OUTSIDE / 2, 1 - OUTSIDE / 2])
    np.testing.assert_allclose([low, high], wanted, atol=2 * bin_width)
    assert np.mean((values < low) | (values > high)) <= OUTSIDE
    few = histogram(values[:1000])
    np.testing.assert_allclose(METHODS["percentile"](few), (few.low, few.high), atol=few.limit / HALF)


@pytest.mark.parametrize("shape", ["normal", "heavy tail", "one outlier", "one side"])
def test_mse_finds_ends_with_a_smaller_error(shape: str) -> None:
    rng = np.random.default_rng(4)
    values = {
        "normal": rng.normal(size=20000),
        "heavy tail": rng.laplace(size=20000),
        "one outlier": np.append(rng.normal(size=20000), 60.0),
        "one side": np.maximum(rng.normal(size=20000), 0),
    }[shape]
    found = METHODS["mse"](histogram(values))
    tried = [squared_error(values, a * values.min(), b * values.max()) for a in (1, 0.8, 0.6) for b in (1, 0.8, 0.6)]
    assert squared_error(values, *found) <= 1.02 * min(tried)


def test_mse_weighs_what_it_cuts_off_against_finer_steps() -> None:
    """n values evenly in [0, 1] and one of 2: with the end at c the error is n (c / 255)^2 / 12 + (2 - c)^2."""
    n = 400_000
    found = METHODS["mse"](histogram(np.append(np.linspace(0, 1, n), 2.0)))
    assert found[0] == 0.0
    assert found[1] == pytest.approx(2 / (1 + n / 12 / 255**2), abs=2 / 64)


def test_a_graph_has_a_range_for_every_activation() -> None:
    graph = NETS["residual_net"]()
    samples = np.random.default_rng(0).normal(size=(5, 9, 7, 3)).astype(np.float32)
    ranges = calibrate(graph, samples)
    assert ranges.keys() == {t.name for t in graph.tensors.values() if t.data is None}
    assert ranges["x"] == (samples.min(), samples.max())
    low, high = ranges[next(n.outputs[0] for n in graph.nodes if n.op == "relu")]
    assert low == 0.0
    assert high > 0.0
    assert calibrate(graph, samples) == ranges
    assert calibrate(graph, samples[:1])["x"] == (samples[0].min(), samples[0].max())


def test_a_layer_that_overflows_is_named() -> None:
    net = Net((4,))
    net.add("reciprocal", name="one_over")
    with pytest.raises(InputError, match="one_over"):
        calibrate(net.graph(), np.zeros((1, 4)))


def test_the_settings_know_all_methods() -> None:
    assert typing.get_args(typing.get_type_hints(TrainConfig)["calibrate"]) == tuple(METHODS)


def test_samples_are_picked_by_the_seed_alone() -> None:
    chosen = pick(100, 10, 3)
    assert len(set(chosen.tolist())) == 10
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, pick(100, 10, 3))
    assert chosen.tolist() != pick(100, 10, 4).tolist()
    np.testing.assert_array_equal(pick(5, 64, 0), np.arange(5))
