"""`--precision`: what becomes a half, what the plan and a run say, and settings that can't be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import BIT, F16, F32, S8
from edgelearn.graph import Graph, Role
from edgelearn.passes.split import home
from edgelearn.plan import Plan, make_plan
from tests.support import prefix_nets
from tests.support.cli import MODEL, edgelearn, small_data
from tests.support.nets import NETS

Capture = pytest.CaptureFixture[str]


def planned(source: Graph, precision: str, **settings: object) -> Plan:
    return make_plan(source, TrainConfig().with_changes(precision=precision, **settings), load("qemu-m4"))


def kernels_of(plan: Plan) -> dict[str, str]:
    """The number format of each step's kernel, by the step's op."""
    steps = zip(plan.schedule.steps, plan.chosen, strict=True)
    return {s.node.op: k.name.partition("__")[0].rpartition("_")[2] for s, k in steps}


def test_what_is_a_half_and_what_is_not() -> None:
    plan = planned(NETS["residual_net"](), "fp16", momentum=0.9)
    tensors = plan.graph.tensors
    assert {t.format for t in plan.graph.of_role(Role.PARAM)} == {F16}
    wide = {t.name for t in tensors.values() if t.format is F32 and t.role is not Role.CONST}
    outputs, loss = set(plan.graph.outputs), str(plan.graph.meta["loss_tensor"])
    logits = {n.inputs[0] for n in plan.graph.nodes if n.op.startswith("softmax_xent")}
    seeds = {n for node in plan.graph.nodes if node.op in ("loss_scale", "softmax_xent_bwd") for n in node.outputs}
    assert wide == {*outputs, loss, *logits, *seeds, "loss_scaling"}
    assert {t.name.rpartition("_")[2] for t in tensors.values() if t.format is F32 and t.role is Role.CONST} <= {
        "mean", "std",
    }  # fmt: skip
    assert any(t.format is BIT for t in plan.graph.of_role(Role.MASK))
    formats = kernels_of(plan)
    assert formats["softmax_xent_bwd"] == formats["loss_scale"] == "f32"
    assert {f for op, f in formats.items() if op.startswith(("conv2d", "dense", "bias", "relu", "momentum"))} == {"f16"}
    assert plan.samples == "f16"
    assert tensors[plan.graph.inputs[0]].format is F16


def test_mixed_keeps_the_weights_and_what_belongs_to_them() -> None:
    plan = planned(NETS["residual_net"](), "mixed", momentum=0.9)
    assert {t.format for t, _ in (*plan.params.tensors, *plan.state.tensors)} == {F32}
    half = planned(NETS["residual_net"](), "fp16", momentum=0.9)
    assert half.params.nbytes <= plan.params.nbytes // 2 + 16 + 2 * len(plan.params.tensors)
    adam = planned(NETS["mlp"](), "fp16", optimizer="adam")
    assert {t.format for t, _ in adam.state.tensors} == {F32}


def test_float32_is_the_plan_that_it_was() -> None:
    """Nothing of half precision is in it, whatever its other settings say."""
    plan = planned(NETS["mlp"](), "fp32")
    other = planned(NETS["mlp"](), "fp32", rounding="nearest", loss_scale=8.0, scale_every=7)
    assert plan.hash == other.hash
    assert not any(t.format is F16 for t in plan.graph.tensors.values())


def test_samples_in_float32_are_cast_on_the_board() -> None:
    plan = planned(NETS["mlp"](), "fp16", samples="f32")
    assert plan.samples == "f32"
    assert [n.op for n in plan.graph.consumers(plan.graph.inputs[0])] == ["narrow"] * 2  # for each of the passes


def test_an_int8_prefix_hands_over_halves() -> None:
    source = prefix_nets.calibrated(prefix_nets.wide())
    plan = planned(source, "fp16", train="last", int8_prefix=True)
    ops = {n.op for n in plan.graph.nodes}
    assert "dequantize_f16" in ops
    assert "dequantize" not in ops
    assert plan.graph.tensors[plan.graph.inputs[0]].format is S8
    assert any(op.endswith("_s8") for op in ops)


def test_recurrent_layers_stay_float32_with_their_weights() -> None:
    plan = planned(NETS["recurrent_net"](), "fp16")
    formats = {t.name: t.format for t, _ in plan.params.tensors}
    assert formats["gru_r"] is F32
    assert formats["gru_input_weight"] is F16
    steps = {n.name: n.op for n in plan.graph.nodes}
    assert steps["gru_r_update"] == "sgd_mixed_step_f16"
    assert steps["gru_input_weight_update"] == "sgd_step_f16"


def test_the_frozen_part_of_a_weight_comes_home_as_it_was() -> None:
    """Of a weight of which some channels train, the others are halves on the board and keep their bytes in the file."""
    source = NETS["conv1d_net"]()
    plan = planned(source, "fp16", method="sparse", fraction=0.5)
    trained = {t.name: np.asarray(t.data, np.float32) + 1 for t in plan.graph.of_role(Role.PARAM)}
    found = home(plan.graph, trained)
    part = plan.graph.meta["parts"][0]
    untouched = np.setdiff1d(np.arange(part.view[part.axis]), part.index)
    before, after = (np.take(w.reshape(part.view), untouched, part.axis) for w in (
        np.asarray(source.tensors[part.weight].data), found[part.weight]
    ))  # fmt: skip
    np.testing.assert_array_equal(after, before)


def test_a_weight_that_is_too_large_for_a_half() -> None:
    source = NETS["mlp"]()
    weight = source.tensors["dense2_weight"]
    huge = replace(weight, data=np.asarray(weight.data) * 1e6)
    source = source.replace(tensors={**source.tensors, huge.name: huge})
    with pytest.raises(InputError, match=r"'dense2_weight' reach .*, fp16 ends at 65504"):
        planned(source, "fp16")
    planned(source, "fp32")


@pytest.mark.parametrize("scale", [3.0, 2.0**25, 2.0**-17])
def test_a_loss_scale_is_a_power_of_two(scale: float) -> None:
    with pytest.raises(InputError, match="no power of two from 2\\^-16 to 2\\^24"):
        TrainConfig().with_changes(loss_scale=scale)


def test_the_plan_says_where_half_precision_saves_time(capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, "--precision", "fp16", "--board", "qemu-m4")
    assert "half precision saves memory here, not time" in said.out.replace("\n", " ")
    figures = json.loads(edgelearn(capsys, "plan", MODEL, "--precision", "mixed", "--json").out)["precision"]
    assert figures["name"] == "mixed"
    assert figures["saves_time"] is False
    assert figures["bytes"]["f16"] > 0


@pytest.mark.parametrize(("precision", "saves"), [("fp16", True), ("mixed", False)])
def test_the_plan_says_what_half_precision_saves(precision: str, saves: bool, capsys: Capture) -> None:
    """Mixed weights are there twice, and kernels that compute in floats convert in scratch."""
    wearable = Path(__file__).parents[2] / "examples" / "wearable" / "wearable.onnx"
    more = ("--board", "qemu-m4", "--save-every", 10)
    floats = json.loads(edgelearn(capsys, "plan", wearable, *more, "--json").out)
    assert floats["precision"]["ram_in_float32"] == floats["precision"]["ram"] == floats["ram"]["total"]
    halves = edgelearn(capsys, "plan", wearable, *more, "--precision", precision, "--json")
    figures = json.loads(halves.out)["precision"]
    assert figures["ram_in_float32"] == floats["ram"]["total"]
    assert (figures["ram"] < figures["ram_in_float32"]) == saves
    said = edgelearn(capsys, "plan", wearable, *more, "--precision", precision).out.replace("\n", " ")
    words = "saves memory here, not time" if saves else "saves neither time nor memory here"
    assert f"{words}, {figures['ram']:,} bytes of RAM {'instead of' if saves else 'where float32 takes'} " in said


def test_a_run_says_what_the_scale_came_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    small_data(tmp_path / "small.npz")
    flags = ("--precision", "fp16", "--loss-scale", "16777216", "--lr", "0.01", "--epochs", "2", "--board", "host")
    said = edgelearn(capsys, "run", MODEL, "--data", "small.npz", *flags)
    assert said.code == 0, said.err
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["precision"] == "fp16"
    assert summary["skipped_updates"] > 0
    assert summary["loss_scale"] < 2.0**24
    assert summary["steps"] == summary["samples"] - summary["skipped_updates"]
    epochs = [e for e in map(json.loads, Path("out/metrics.jsonl").read_text().splitlines()) if e["event"] == "epoch"]
    assert [e["skipped"] for e in epochs] == sorted(e["skipped"] for e in epochs)
    assert epochs[-1]["skipped"] == summary["skipped_updates"]
    assert "updates left out" in Path("out/report.html").read_text()
    trained = np.load("out/trained.npz")
    assert all(trained[name].dtype == np.float32 for name in trained.files)
