"""Signed powers of two and the latents behind them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelearn.shift import latents


class _Step(torch.autograd.Function):
    """1 where positive, else 0; the gradient of the identity."""

    @staticmethod
    def forward(ctx, w):
        return (w > 0).to(w.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad


class _Sign(torch.autograd.Function):
    """1 where positive, else -1; the gradient of the identity."""

    @staticmethod
    def forward(ctx, w):
        return torch.where(w > 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        return grad


@pytest.mark.parametrize("bits", latents.BITS)
def test_the_gradient_is_that_of_autograd_through_the_surrogate(bits: int) -> None:
    rng = np.random.default_rng(bits)
    values = rng.normal(size=(latents.count(bits), 5, 7)).astype(np.float32)
    grad = rng.normal(size=(5, 7)).astype(np.float32)
    leaf = torch.tensor(values, requires_grad=True)
    scale = torch.zeros(5, 7)
    for t in range(1, len(values)):
        scale = (scale + 1) * _Step.apply(leaf[t])
    (_Sign.apply(leaf[0]) * torch.sqrt(scale + 1)).backward(torch.tensor(grad))
    np.testing.assert_allclose(latents.gradient(values, grad), leaf.grad.numpy(), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(latents.discrete(values)[1], scale.detach().numpy())


@pytest.mark.parametrize("bits", latents.BITS)
def test_every_weight_is_a_signed_power_of_two_and_none_is_zero(bits: int) -> None:
    values = latents.fresh((64, 64), bits, np.random.default_rng(0))
    assert values.std() == pytest.approx(latents.SPREAD, rel=0.02)
    sizes = np.unique(np.abs(latents.weights_of(values)))
    np.testing.assert_array_equal(sizes, 2.0 ** np.arange(latents.largest(bits) + 1))


@pytest.mark.parametrize(("bits", "error"), [(2, 0.41), (3, 0.23), (4, 0.21)])
def test_latents_near_float_weights_stand_for_the_nearest_powers(bits: int, error: float) -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.1, (64, 64)).astype(np.float32)
    values, k = latents.near(weights, bits, rng)
    found = latents.weights_of(values, k)
    powers = np.ldexp(np.float32(1), np.arange(latents.largest(bits) + 1) - k)
    nearest = powers[np.abs(np.abs(weights)[..., None] - powers).argmin(axis=-1)]
    np.testing.assert_array_equal(found, np.where(weights > 0, nearest, -nearest))
    assert np.sqrt(np.mean(np.square(found - weights))) / weights.std() < error
    order = np.argsort(weights, axis=None)
    assert (np.diff(values[0].ravel()[order]) >= 0).all()


def test_a_constant_tensor_has_latents_too() -> None:
    values, k = latents.near(np.zeros((3, 3), np.float32), 3, np.random.default_rng(0))
    assert np.isfinite(values).all()
    assert np.isfinite(latents.weights_of(values, k)).all()
