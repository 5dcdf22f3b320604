"""Which layers train by latents, where latents begin, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Role
from edgelearn.ops import OPS
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.shift_latents import begin, latent_count, span_of, weights_of
from edgelearn.passes.shift_latents import latents_of
from edgelearn.plan import check_fit, make_plan
from edgelearn.training import training_graph
from tests.support.nets import NETS
from tests.support.shifts import all_but_ends
from tests.unit.test_shift_latents import _Sign, _Step


def _marked():
    """Layers depthwise2, conv5 and conv8 are shifts of 2, 3 and 4 bits."""
    return all_but_ends(NETS["residual_net"]())


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("k", [-3, 0, 7])
def test_latents_begin_with_the_weights_that_are_there(bits: int, k: int) -> None:
    rng = np.random.default_rng(bits)
    held = latent_count(bits)
    weights = np.ldexp(rng.choice([-1.0, 1.0], (64, 33)), rng.integers(0, held, (64, 33)) - k).astype(np.float32)
    latents = begin(weights, held, k, span_of(0.25))
    np.testing.assert_array_equal(weights_of(np.moveaxis(latents, -1, 0), k), weights)
    assert np.sqrt(np.mean(np.square(latents))) == pytest.approx(0.25, rel=0.02)
    assert abs(np.corrcoef(np.abs(latents[:-1, :, 0]).ravel(), np.abs(latents[1:, :, 0]).ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(latents, begin(weights, held, k, span_of(0.25)))


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam", "adamw"])
def test_an_update_is_that_of_torch_through_the_surrogate(bits: int, rule: str) -> None:
    """Three updates of latents by torch's own optimizers, through its autograd, in float64."""
    rng, held, k = np.random.default_rng(bits), latent_count(bits), 2
    o = Optim(lr=0.05, momentum=0.0 if rule == "sgd" else 0.9, weight_decay=0.01)
    values = rng.normal(size=(6, 5, held)) + 0.1
    leaf = torch.tensor(values, requires_grad=True)
    betas = {"lr": o.lr, "weight_decay": o.weight_decay, "betas": (o.momentum, o.beta2), "eps": o.epsilon}
    optimizer = {
        "sgd": lambda: torch.optim.SGD([leaf], o.lr, weight_decay=o.weight_decay),
        "momentum": lambda: torch.optim.SGD([leaf], o.lr, momentum=o.momentum, weight_decay=o.weight_decay),
        "adam": lambda: torch.optim.Adam([leaf], **betas),
        "adamw": lambda: torch.optim.AdamW([leaf], **betas),
    }[rule]()
    state = [np.zeros_like(values) for _ in range({"sgd": 0, "momentum": 1}.get(rule, 2))]
    w = weights_of(np.moveaxis(values, -1, 0), k, np.float64)
    for step in range(1, 4):
        grad = rng.normal(size=(6, 5))
        scale = torch.zeros(6, 5, dtype=torch.float64)
        for t in range(1, held):
            scale = (scale + 1) * _Step.apply(leaf[..., t])
        optimizer.zero_grad()
        (2.0**-k * _Sign.apply(leaf[..., 0]) * torch.sqrt(scale + 1)).backward(torch.tensor(grad))
        optimizer.step()
        o.bias1, o.bias2 = 1 - o.momentum**step, 1 - o.beta2**step
        w, values, *state = OPS[f"shift_{rule}_step"].compute(o, k, grad, w, values, *state)
        np.testing.assert_allclose(values, leaf.detach().numpy(), rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(w, weights_of(np.moveaxis(values, -1, 0), k))


def test_the_scale_moves_the_loss_as_its_surrogate_says() -> None:
    """Central differences of sgn * sqrt(S + 1), with S real, are the derivative that the last latents get."""
    held, step = latent_count(3), 1e-6
    latents = np.array([0.3, -0.2, 0.1, 0.4])[:, None]  # S = 2
    slope = (np.sqrt(3 + step) - np.sqrt(3 - step)) / (2 * step)
    (moved,) = (OPS["shift_sgd_step"].compute(Optim(lr=1.0), 0, np.ones(1), np.ones(1), latents.T)[1],)
    np.testing.assert_allclose(latents[:, 0] - moved[0], [np.sqrt(3), slope, slope, 2 * slope], rtol=1e-7)
    assert held == len(latents)


@pytest.mark.parametrize(
    ("wanted", "layers"),
    [
        ("all", ["depthwise2", "conv5", "conv8"]),
        ("last", ["conv8"]),
        ("last:2", ["conv5", "conv8"]),
        ("conv8, depthwise2", ["depthwise2", "conv8"]),
    ],
)
def test_what_is_chosen(wanted: str, layers: list[str]) -> None:
    graph = training_graph(_marked(), TrainConfig(shift_latents=wanted))
    names = [n.name for n in graph.nodes if n.op in ("conv2d", "depthwise_conv2d") and n.inputs[1] in latents_of(graph)]
    assert names == layers
    for name, own in latents_of(graph).items():
        held = latent_count(own.bits)
        assert graph.tensors[name].role is Role.PARAM
        assert (graph.tensors[own.name].role, graph.tensors[own.name].shape[-1]) == (Role.STATE, held)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shift_latents": "conv9"}, "no layer 'conv9' whose weights are shifts"),
        ({"shift_latents": "conv0"}, "no layer 'conv0' whose weights are shifts"),
        ({"shift_latents": "last:4"}, "'last:4' of 3 layers"),
        ({"shift_latents": "last:x"}, "'last:x' of 3 layers"),
        ({"shift_latents": "last:0"}, "'last:0' of 3 layers"),
        ({"shift_latents": "all", "train": "last"}, "no layer that trains is a shift"),
        ({"shift_latents": "conv5", "train": "last"}, "the weights of 'conv5' are frozen"),
        ({"shift_latents": "conv5", "method": "sparse"}, "the weights of 'conv5' are frozen, or train in part only"),
        ({"shift_latents": "all", "precision": "fp16"}, "latents are float32, not fp16"),
        ({"shift_latents": "all", "multiply": "pam"}, "latents move by products of floats"),
    ],
)
def test_what_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        training_graph(_marked(), TrainConfig(**settings))
    assert error.value.where == "--shift-latents"


def test_without_marks_or_with_weights_that_have_changed() -> None:
    with pytest.raises(InputError, match="no layers whose weights are shifts"):
        training_graph(NETS["residual_net"](), TrainConfig(shift_latents="all"))
    source = _marked()
    next(source.tensors[name] for name in source.meta["shift"]).data.flat[0] *= 1.1
    with pytest.raises(InputError, match="no signed powers of two any more"):
        training_graph(source, TrainConfig(shift_latents="all"))


@pytest.mark.parametrize(
    ("settings", "each"), [({}, 1), ({"momentum": 0.9}, 2), ({"optimizer": "adam"}, 3), ({"optimizer": "adamw"}, 3)]
)
def test_ram_is_that_of_the_latents(settings: dict[str, object], each: int) -> None:
    """So many floats a latent; flash holds none of them, and the plan without latents stays what it was."""
    source, board = _marked(), load("host")
    plain, plan = (
        make_plan(source, TrainConfig(batch=2, shift_latents=wanted, **settings), board) for wanted in ("", "all")
    )
    counts = {name: source.tensors[name].count for name in source.meta["shift"]}
    latents = sum(4 * count * latent_count(source.meta["shift"][name][0]) for name, count in counts.items())
    assert plan.shift_latents == latents
    gathers = settings.get("momentum") is not None  # then a float weight's gradient gathers in its velocity
    gradients = 4 * sum(counts.values()) if gathers else 0
    assert plan.state.used - plain.state.used == each * latents + gradients - (each - 1) * 4 * sum(counts.values())
    assert plan.model_flash == plain.model_flash
    assert plain.hash != plan.hash


def test_what_fits_in_their_place() -> None:
    """The hint's flags make a plan: with floats in the place of latents, or with the last layer alone."""
    source, config = _marked(), TrainConfig(shift_latents="all")
    for changes, flags in (({}, '--shift-latents ""'), ({"train": "last"}, '--train last --shift-latents ""')):
        small = make_plan(source, config.with_changes(shift_latents="", **changes), load("qemu-m4"))
        with pytest.raises(InputError, match="the model does not fit") as caught:
            check_fit(make_plan(source, config, load("qemu-m4"), ram=small.ram))
        assert caught.value.hint
        assert caught.value.hint.startswith(f"{flags} fits: ")
