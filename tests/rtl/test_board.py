"""A simulated core is a board like the others: it trains, its bytes are planned, its figures are in cycles."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from elftools.elf.elffile import ELFFile
from onnx import helper, numpy_helper

from edgelearn import boards
from edgelearn.device import open_device
from edgelearn.device.child import ChildDevice
from edgelearn.errors import DeviceError
from edgelearn.link import Link, encode_frame
from edgelearn.wire import Command, Hyper
from tests.qemu.images import image_of
from tests.rtl.conftest import BOARD
from tests.support.cli import edgelearn
from tests.support.linear import LinearModel


def test_trains_like_numpy_and_counts_cycles() -> None:
    model = LinearModel(batch=3)
    image = image_of(BOARD, batch=3)
    with open_device(image) as device:
        link = Link(device)
        info = link.hello(model.hash)
        assert info.stack_bytes == image.ram.stack
        link.configure(Hyper(lr=0.1))
        samples = model.samples(9)
        for result, (x, t) in zip(link.train_many(samples), samples, strict=True):
            assert result.loss == pytest.approx(model.train(x, t, 0.1), rel=1e-5)
            assert 500 < result.spent < 2000  # six inputs, three outputs
        np.testing.assert_allclose(np.frombuffer(link.read("params"), "<f4"), model.params, rtol=2e-5, atol=1e-6)
        counts = [link.evaluate(*samples[0]).spent for _ in range(3)]
        assert len(set(counts)) == 1, "the same work takes the same cycles"
        status = link.status()
        assert 200 < status.stack_used < image.ram.stack
        assert status.spent == status.ticks > sum(counts)
        assert isinstance(device, ChildDevice)
        device.write(encode_frame(Command.EXIT, link._seq))
        assert device.wait(5.0) == 0


def test_bytes_are_the_linkers_and_the_board_files() -> None:
    image = image_of(BOARD)
    text = (image.elf.parent / "image.map").read_text()
    found = {name: int(size, 16) for name, size in re.findall(r"^\.(\w+)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)", text, re.M)}
    board = boards.load(BOARD)
    assert found["stack"] == image.ram.stack == board.stack
    assert found["bss"] + found.get("data", 0) == image.ram.runtime == board.runtime_ram
    assert found["el_params"] == LinearModel().params.nbytes


def test_an_access_to_nowhere_is_a_fault(tmp_path: Path) -> None:
    """An image whose first instruction reads address 0, where this board has nothing."""
    image = image_of(BOARD)
    wild = bytearray(image.elf.read_bytes())
    with image.elf.open("rb") as stream:
        vectors = ELFFile(stream).get_section_by_name(".vectors")["sh_offset"]
    wild[vectors : vectors + 4] = (0x00002003).to_bytes(4, "little")  # lw zero, 0(zero)
    elf = tmp_path / "wild.elf"
    elf.write_bytes(wild)
    with (
        ChildDevice(boards.load(BOARD), elf, "pipe") as device,
        pytest.raises(DeviceError, match="hit a fault") as caught,
    ):
        device.read(30.0)
    assert caught.value.details == ("a read from 0x00000000, where nothing is",)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Arguments for a model of 21 weights and its samples."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(3, 6)), "b": np.zeros(3)}
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, (1, k)) for n, k in (("x", 6), ("y", 3))]
    values = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()]
    graph = helper.make_graph([node], "tiny", ends[:1], ends[1:], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "tiny.onnx")
    x = rng.normal(size=(24, 6)).astype(np.float32)
    y = np.argmax(x[:, :3], axis=1)
    np.savez("tiny.npz", x_train=x[:16], y_train=y[:16], x_test=x[16:], y_test=y[16:])
    return "tiny.onnx", "--data", "tiny.npz", "--board", BOARD, "--lr", "0.1", "--epochs", "1"


def test_run_speaks_of_cycles(tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    said = edgelearn(capsys, "run", *tiny, "--out", "out", "--json")
    assert said.code == 0, said.err
    events = [json.loads(line) for line in said.out.splitlines()]
    steps = [e for e in events if e["event"] == "step"]
    assert all(500 < e["cycles"] < 5000 and "insn" not in e for e in steps)
    figures = json.loads(Path("out/summary.json").read_text())
    assert "insn_per_sample" not in figures
    assert figures["cycles_per_sample"] == round(sum(e["cycles"] for e in steps) / len(steps))
    assert figures["stack_used"] > 0
    page = Path("out/report.html").read_text()
    assert f"{figures['cycles_per_sample']:,} cycles" in page
    assert "insn" not in page


def test_test_holds_cycles_and_no_instructions(tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    said = edgelearn(capsys, "test", *tiny, "--max-cycles", 10, "--json")
    assert said.code == 5
    missed = [c for c in json.loads(said.out.splitlines()[0])["cases"] if not c["passed"]]
    assert [(c["name"], c["limit"]) for c in missed] == [("cycles for a training sample", 10)]
    assert 500 < missed[0]["value"] < 5000
    said = edgelearn(capsys, "test", *tiny, "--max-insn", 10)
    assert said.code == 2
    assert f"'{BOARD}' does not count instructions" in said.err
    assert "--max-cycles" in said.err
