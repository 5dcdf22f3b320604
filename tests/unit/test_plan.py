"""What a plan promises: bytes, limits, checked hints, in-place decisions, folding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Role
from edgelearn.passes.fold import fold_norms, unfold
from edgelearn.plan import compile_model, make_plan
from edgelearn.reference import evaluate
from edgelearn.schedule import Program
from tests.support.nets import NETS, Net, sample

BOARD = load("qemu-m4")


def test_plain_sgd_with_batch_one_needs_no_gradient_buffer_and_no_state() -> None:
    plan = make_plan(NETS["residual_net"](), TrainConfig(), BOARD)
    assert plan.state.nbytes == 0
    assert not [t for t in plan.graph.tensors.values() if t.name.endswith("_grad")]
    assert not [s for s in plan.schedule.steps if s.program is Program.UPDATE]


def test_momentum_gathers_gradients_in_its_own_buffer() -> None:
    plan = make_plan(NETS["residual_net"](), TrainConfig(momentum=0.9, batch=8), BOARD)
    assert plan.state.used == plan.params.used


def test_adam_at_batch_one_keeps_gradients_in_the_arena_only_while_needed() -> None:
    plan = make_plan(NETS["residual_net"](), TrainConfig(optimizer="adam"), BOARD)
    assert plan.state.used == 2 * plan.params.used
    grads = [b for b in plan.schedule.buffers if b.name.endswith("_grad")]
    assert grads
    assert all(b.last - b.first <= 8 for b in grads)


def test_relu_keeps_one_bit_an_element_and_max_pool_one_byte() -> None:
    graph = make_plan(NETS["conv1d_net"](), TrainConfig(), BOARD).graph
    for mask in graph.of_role(Role.MASK):
        expected = mask.count if "winner" in mask.name else (mask.count + 7) // 8
        assert mask.nbytes == expected
    assert sorted(t.name.split("_")[-1] for t in graph.of_role(Role.MASK)) == ["mask", "mask", "mask", "winner"]


def test_ram_is_the_sum_of_its_parts() -> None:
    plan = make_plan(NETS["conv1d_net"](), TrainConfig(momentum=0.9), BOARD)
    assert plan.ram == (plan.params.nbytes + plan.state.nbytes + plan.arena_bytes + BOARD.runtime_ram + BOARD.stack)
    assert plan.params.used == 4 * sum(t.count for t in plan.graph.of_role(Role.PARAM))


def test_too_little_ram_says_how_much_where_and_what_fits() -> None:
    source = NETS["conv1d_net"]()
    plan = make_plan(source, TrainConfig(optimizer="adam", batch=4), BOARD, ram=1)  # with as little scratch as it can
    limit = plan.ram - 1
    with pytest.raises(InputError) as caught:
        compile_model(source, TrainConfig(optimizer="adam", batch=4), BOARD, ram=limit)
    error = caught.value
    assert f"needs {plan.ram:,} bytes, {limit:,} are there: 1 bytes over" in error.details[0]
    assert "fullest at step" in error.details[2]
    assert error.hint
    assert error.hint.startswith("--recompute 0.3 fits: ")
    assert "edgelearn plan --fit" in error.hint
    lean = make_plan(source, TrainConfig(optimizer="adam", batch=4, recompute=0.3), BOARD, ram=limit)
    assert f"{lean.ram:,} bytes" in error.hint
    compile_model(source, TrainConfig(optimizer="adam", batch=4, fold_norms=True), BOARD, ram=limit)


def test_a_model_that_fits_exactly_is_accepted() -> None:
    source = NETS["conv1d_net"]()
    plan = make_plan(source, TrainConfig(), BOARD)
    assert compile_model(source, TrainConfig(), BOARD, ram=plan.ram).ram == plan.ram


def test_an_unknown_layer_is_named_with_the_layers_there_are() -> None:
    with pytest.raises(InputError) as caught:
        make_plan(NETS["mlp"](), TrainConfig(train="dense_4"), BOARD)
    assert "no layer 'dense_4'" in caught.value.message
    assert "did you mean 'dense4'" in str(caught.value.hint)


def test_layers_are_trained_by_name() -> None:
    plan = make_plan(NETS["mlp"](), TrainConfig(train="dense0, dense4"), BOARD)
    assert {t.name for t, _ in plan.params.tensors} == {"dense0_weight", "dense0_bias", "dense4_weight", "dense4_bias"}


def test_weights_that_are_not_finite_are_refused() -> None:
    source = NETS["mlp"]()
    bad = dataclasses.replace(source.tensors["dense0_bias"], data=np.full(17, np.nan, np.float32))
    with pytest.raises(InputError, match="NaN"):
        make_plan(source.replace(tensors={**source.tensors, "dense0_bias": bad}), TrainConfig(), BOARD)


def _with_norms() -> Graph:
    net = Net((5, 6, 3), seed=4)
    net.conv(7, (3, 3), bias=False)
    net.norm()
    net.relu()
    net.depthwise((3, 3))
    net.norm()
    net.dense(4)
    net.norm()
    return net.graph()


def test_folding_and_unfolding_change_nothing() -> None:
    source = _with_norms()
    x, _ = sample(source, 0)
    folded, trained = fold_norms(source, {t.name for t in source.of_role(Role.CONST)}, force=True)
    assert not [n for n in folded.nodes if n.op == "batch_norm"]
    np.testing.assert_allclose(evaluate(source, x), evaluate(folded, x), rtol=1e-5, atol=1e-6)

    rng = np.random.default_rng(0)
    moved = {n: folded.tensors[n].data + rng.normal(0, 0.1, folded.tensors[n].shape) for n in sorted(trained)}
    moved = {n: v.astype(np.float32) for n, v in moved.items()}
    there = folded.replace(tensors={**folded.tensors, **_data(folded, moved)})
    home = source.replace(tensors={**source.tensors, **_data(source, unfold(folded, moved))})
    np.testing.assert_allclose(evaluate(there, x), evaluate(home, x), rtol=1e-5, atol=1e-5)


def _data(graph: Graph, values: dict[str, np.ndarray]) -> dict[str, object]:
    return {n: dataclasses.replace(graph.tensors[n], data=v) for n, v in values.items()}


def test_a_frozen_norm_folds_into_a_frozen_layer_only() -> None:
    source = _with_norms()
    dense = next(n.name for n in source.nodes if n.op == "dense")
    ops = [s.node.op for s in make_plan(source, TrainConfig(train=dense), BOARD).schedule.steps]
    assert ops.count("batch_norm") == 1, "only the norm behind the trained layer stays"
