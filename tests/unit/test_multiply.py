"""`--multiply`: what becomes piecewise affine and what does not, what the plan says, and settings that can't be."""

from __future__ import annotations

import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import F32
from edgelearn.graph import Role
from edgelearn.plan import Plan, make_plan
from tests.support import prefix_nets
from tests.support.cli import MODEL, edgelearn
from tests.support.nets import NETS

Capture = pytest.CaptureFixture[str]


def planned(net: str, multiply: str, **settings: object) -> Plan:
    return make_plan(NETS[net](), TrainConfig().with_changes(multiply=multiply, **settings), load("qemu-m3"))


def formats(plan: Plan) -> dict[str, str]:
    """The number format of each step's kernel, by the step's op."""
    steps = zip(plan.schedule.steps, plan.chosen, strict=True)
    return {s.node.op: k.name.partition("__")[0].rpartition("_")[2] for s, k in steps}


def test_what_has_products_has_piecewise_affine_ones() -> None:
    found = formats(planned("residual_net", "pam", momentum=0.9))
    products = ("conv2d", "dense", "batch_norm", "bias_bwd", "relu", "momentum")
    assert {f for op, f in found.items() if op.startswith(products)} == {"pam"}
    assert found["softmax_xent_bwd"] == found["softmax_xent"] == "f32"


def test_recurrent_layers_and_their_updates() -> None:
    """The layers themselves stay float32; a weight's update does not ask who made its gradient."""
    found = formats(planned("recurrent_net", "pam", momentum=0.9))
    assert {f for op, f in found.items() if op.startswith(("gru", "lstm", "rnn", "recurrent"))} == {"f32"}
    assert {f for op, f in found.items() if op.startswith("momentum")} == {"pam"}


def test_all_tensors_stay_float32() -> None:
    plain, affine = planned("mlp", "float"), planned("mlp", "pam")
    assert {t.format for t in affine.graph.of_role(Role.PARAM)} == {F32}
    assert [(x.name, k) for x, k in plain.params.tensors] == [(x.name, k) for x, k in affine.params.tensors]
    assert plain.arena_bytes == affine.arena_bytes
    assert plain.hash != affine.hash


def test_exact_derivatives_are_those_of_layers_with_weights() -> None:
    found = formats(planned("conv1d_net", "pam-exact"))
    assert {"conv2d_exact_pam", "conv2d_exact_bwd_x_pam", "conv2d_exact_bwd_w_pam", "dense_exact_bwd_w_pam"} <= set(
        found
    )
    assert not {"conv2d_bwd_x_pam", "conv2d_bwd_w_pam", "dense_bwd_w_pam", "dense_bwd_x_pam"} & set(found)


def test_an_int8_prefix_stays_int8() -> None:
    config = TrainConfig(multiply="pam", train="last", int8_prefix=True)
    found = formats(make_plan(prefix_nets.calibrated(prefix_nets.wide()), config, load("qemu-m3")))
    assert {"s8", "pam"} <= set(found.values())


@pytest.mark.parametrize("precision", ["fp16", "mixed"])
def test_products_of_halves_are_refused(precision: str) -> None:
    with pytest.raises(InputError, match=f"piecewise affine products are those of float32, not of {precision}"):
        planned("mlp", "pam", precision=precision)


def test_the_plan_says_so(capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, "--multiply", "pam", "--board", "qemu-m3")
    assert "multiplies with pam: bit patterns are added, docs/PAM.md\n" in said.out
    assert "dense_pam" in said.out
    said = edgelearn(capsys, "plan", MODEL, "--multiply", "pam", "--board", "qemu-m4")
    assert "docs/PAM.md; this core has an FPU," in " ".join(said.out.split())
