"""Our quantisation of real float files beside the int8 files that their vendor's converter made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.calibrate import calibrate
from edgelearn.config import TrainConfig
from edgelearn.cut import measure_cut
from edgelearn.data import load_dataset
from edgelearn.formats import S8
from edgelearn.graph import Graph, Node, Phase
from edgelearn.importers import load
from edgelearn.passes.dequantize import CASTS, real
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from tests.support.cli import edgelearn
from tools.fetch_assets import fetch

# Nets with convolutions alone in front of their last layer, and by how many steps single weights may differ:
# a tie of the vendor's float32 quotient is rounded the other way.
SAME = {"image_example1": 0, "keyword_spotting_alexa": 0, "keyword_spotting_on_off_v3": 1}
# The vendor's fully connected layers have one scale for all weights, ours one a channel.
DENSE = {"rock_paper_scissors": 2, "autoencoder_example": 2}
ECG = Path(__file__).parents[2] / "examples" / "ecg" / "person.npz"
LAST = TrainConfig(train="last", loss="mse")
PREFIX = LAST.with_changes(int8_prefix=True)


def layers(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.op not in CASTS and n.phase is Phase.FORWARD]


def ranges_of(source: Graph, vendor: Graph) -> dict[str, tuple[float, float]]:
    """What the vendor's int8 can hold, for each activation of the float file."""
    pairs = list(zip(layers(source), layers(vendor), strict=True))
    assert [a.op for a, _ in pairs] == [b.op for _, b in pairs]
    names = {source.inputs[0]: pairs[0][1].inputs[0]} | {a.outputs[0]: b.outputs[0] for a, b in pairs}
    ranges = {}
    for name, theirs in names.items():
        quant = vendor.tensors[theirs].quant
        assert quant is not None
        low, high = real(np.array([-128, 127]), quant)
        ranges[name] = (float(low), float(high))
    return ranges


def both(name: str) -> tuple[Plan, Plan]:
    """The float file quantised with the vendor's ranges, and the vendor's int8 file."""
    source, vendor = load(fetch(f"{name}.float32")), load(fetch(name))
    source = source.replace(meta={**source.meta, "ranges": ranges_of(source, vendor)})
    board = load_board("host")
    return make_plan(source, PREFIX, board), make_plan(vendor, LAST, board)


def integers(graph: Graph, node: Node, operand: int) -> np.ndarray:
    """A layer's weights or its bias, as the board has them."""
    data = graph.tensors[node.inputs[operand]].data
    assert data is not None
    return data.astype(np.int64)


def activations(plan: Plan, sample: np.ndarray) -> list[np.ndarray]:
    """All int8 activations of the prefix for a sample in device layout."""
    reference = Reference(plan.graph)
    reference.forward(as_it_travels(plan, sample))
    names = [n.outputs[0] for n in layers(plan.graph) if plan.graph.tensors[n.outputs[0]].format is S8]
    return [reference.values[name].astype(np.int64).ravel() for name in names]


@pytest.mark.parametrize("name", [*SAME, *DENSE])
def test_the_vendors_ranges_give_the_vendors_integers(name: str) -> None:
    """Same weights, biases and activations, bit by bit, in all convolutions; a dense layer's weights are finer."""
    ours, theirs = both(name)
    assert (ours.model_ram, ours.samples) == (theirs.model_ram, "s8")
    # A scale a channel means a multiplier a channel, which the device has for every layer.
    assert ours.model_flash == theirs.model_flash
    pairs = list(zip(layers(ours.graph), layers(theirs.graph), strict=True))
    assert [a.op for a, _ in pairs] == [b.op for _, b in pairs]
    for a, b in pairs:
        if a.op in ("conv2d_s8", "depthwise_conv2d_s8"):
            weights, bias = (np.abs(integers(ours.graph, a, k) - integers(theirs.graph, b, k)) for k in (1, 2))
            assert weights.max() <= SAME.get(name, 0)
            assert (weights > 0).sum() <= 1
            assert bias.max() <= SAME.get(name, 0)
    shape = ours.graph.tensors[ours.graph.inputs[0]].shape
    quant = ours.graph.tensors[ours.graph.inputs[0]].quant
    assert quant is not None
    noise = np.random.default_rng(0).integers(-128, 128, (2, *shape))
    for sample in real(noise, quant):
        for a, b in zip(activations(ours, sample), activations(theirs, sample), strict=True):
            assert np.abs(a - b).max() <= DENSE.get(name, 0)


def test_the_float_file_comes_home_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes differ only where the last layer's two weight tensors are."""
    path = fetch("autoencoder_example.float32")
    flags = ("--train", "last", "--loss", "mse", "--lr", "2", "--epochs", "1", "--board", "host", "--out", tmp_path)
    said = edgelearn(capsys, "run", path, "--data", ECG, *flags, "--int8-prefix")
    assert said.code == 0, said.err
    before, after = (np.frombuffer(p.read_bytes(), np.uint8) for p in (path, tmp_path / "trained.tflite"))
    assert len(before) == len(after)
    changed = np.flatnonzero(before != after)
    source = load(path)
    last = [source.tensors[name] for name in layers(source)[-2].inputs[1:]]
    held = np.concatenate([np.asarray(t.data, "<f4").ravel() for t in last]).nbytes
    assert 0 < len(changed) <= held
    for tensor in last:
        content = np.asarray(tensor.data, "<f4").tobytes()
        start = path.read_bytes().index(content)
        changed = changed[(changed < start) | (changed >= start + len(content))]
    assert len(changed) == 0


def test_an_autoencoder_of_heartbeats() -> None:
    """On held-out beats of a person whose others it was calibrated with: nearer to the float model than the vendor's
    int8 file, which knew other hearts. With a few normal beats alone it would not be: a wide one saturates.
    """
    source, vendor = load(fetch("autoencoder_example.float32")), load(fetch("autoencoder_example"))
    data = load_dataset(ECG, source, "mse")
    board, normal = load_board("host"), ~np.load(ECG)["wide_train"]
    cuts = []
    for chosen in (data.x_train, data.x_train[normal][:16]):
        ranges = calibrate(source, source.meta["input"].to_device(chosen))
        plan = make_plan(source.replace(meta={**source.meta, "ranges": ranges}), PREFIX, board)
        cuts.append(measure_cut(plan, data))
    cut, narrow = cuts
    theirs = make_plan(vendor, LAST, board)
    ((name, ratio),) = cut.snr.items()
    held = Reference(theirs.graph)
    float_net = Reference(make_plan(source, LAST, board).graph)
    handed = next(n.outputs[0] for n in theirs.graph.nodes if n.op == "dequantize")
    signal = noise = 0.0
    for sample in source.meta["input"].to_device(data.x_test):
        held.forward(as_it_travels(theirs, sample))
        float_net.forward(sample)
        signal += float((float_net.values[name] ** 2).sum())
        noise += float(((held.values[handed] - float_net.values[name]) ** 2).sum())
    assert ratio > 10 * np.log10(signal / noise)
    assert ratio > 36
    assert narrow.snr[name] < 20
    assert cut.int8.samples == len(data.x_test)
    assert cut.int8.loss == pytest.approx(cut.f32.loss, rel=0.001)
