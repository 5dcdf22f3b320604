"""Files that are no TensorFlow Lite models, or damaged ones: one error each, never a traceback."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgelearn.errors import InputError, ToolError
from edgelearn.importers import load
from edgelearn.importers.tflite import parse
from edgelearn.importers.tflite.parse import HINT
from edgelearn.interpreter import PACKAGES, Interpreter
from edgelearn.passes.dequantize import dequantize
from tests.support.tflite_files import TfliteNet
from tests.unit.tflite_models import MODELS, floats, unary
from tools.mutations import mutate

MUTATIONS = 300


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path)
    return caught.value


def test_mutated_files_give_an_error_or_a_graph(tmp_path: Path) -> None:
    """Each within a second and without a traceback."""
    generator, path = random.Random(5), tmp_path / "net.tflite"
    sources = [make().content() for make in MODELS.values()]
    imported = 0
    unplaced: list[str] = []
    for _ in range(MUTATIONS):
        path.write_bytes(mutate(generator.choice(sources), generator))
        start = time.monotonic()
        try:
            dequantize(load(path))
            imported += 1
        except InputError as error:
            unplaced += [error.message] if not error.where else []
        assert time.monotonic() - start < 1
    assert unplaced == []
    assert 20 < imported < 200, "the mutations are too weak or too strong to say anything"


@pytest.mark.parametrize("size", [8, 12, 20, 100, 500])
def test_files_cut_short(size: int, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(MODELS["conv valid"]().content()[:size])
    assert refused(path).where == "net.tflite"


def test_a_suffix_alone_makes_no_model(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"something else entirely")
    assert refused(path).message == "not a TensorFlow Lite model: the file does not begin like one"
    path.write_bytes(b"")
    assert refused(path).message == "not a TensorFlow Lite model: the file does not begin like one"


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    assert load(unary("RELU").save(tmp_path, "model.bin")).nodes[0].op == "relu"


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MOST_BYTES", 100)
    assert "the limit is 100" in refused(unary("RELU").save(tmp_path)).message


def test_a_weight_with_too_few_bytes(tmp_path: Path) -> None:
    net = MODELS["dense"]()
    net.buffers[1] = net.buffers[1][:-4]
    assert "weight 'm/head/MatMul' is damaged: 108 bytes for (4, 7) of FLOAT32" in refused(net.save(tmp_path)).message


def test_a_cycle(tmp_path: Path) -> None:
    net = unary("RELU", (1, 4))
    later = net.op("RELU", [net.outputs[0]], (1, 4))
    net.ops[0].inputs = [later]
    assert refused(net.save(tmp_path)).message == f"node 0 (RELU) reads 't{later}', which nothing before it makes"


def test_absurd_paddings_are_not_allocated(tmp_path: Path) -> None:
    net = TfliteNet()
    sizes = net.const(np.array([[0, 0], [0, 1 << 30], [0, 1 << 30], [0, 0]], np.int32))
    p = net.op("PAD", [net.input((1, 4, 4, 2)), sizes], (1, 4, 4, 2))
    net.op("RELU", [p], (1, 4, 4, 2))
    assert "PAD of" in refused(net.save(tmp_path)).details[0]


def test_scales_that_make_no_sense(tmp_path: Path) -> None:
    for scale, why in ((0.0, "positive"), (float("nan"), "positive"), ((0.1, 0.2), "2 scales do not fit")):
        net = TfliteNet()
        q = net.op("QUANTIZE", [net.input((1, 3))], (1, 3), kind="INT8", scale=scale, axis=0)
        net.op("DEQUANTIZE", [q], (1, 3))
        assert why in refused(net.save(tmp_path)).details[0]


def test_nan_weights_are_imported_with_a_warning(tmp_path: Path) -> None:
    net = TfliteNet()
    weight = floats(2, 3)
    weight[1, 1] = np.nan
    net.op("FULLY_CONNECTED", [net.input((1, 3)), net.const(weight)], (1, 2))
    assert "holds NaN" in load(net.save(tmp_path)).meta["warnings"][0]


def test_the_runtime_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ToolError) as caught:
        Interpreter(unary("RELU").save(tmp_path))
    assert "edgelearn[litert]" in str(caught.value.hint)


def test_the_runtime_may_refuse(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(unary("RELU").content()[:60])
    with pytest.raises(InputError, match="refuses"):
        Interpreter(path)


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    """The words of the flatbuffer's reader stood there, cut off in the middle, and nothing on what to do."""
    path, content = tmp_path / "net.tflite", unary("RELU").content()
    for size in range(8, len(content) // 2, 7):
        path.write_bytes(content[:size])
        error = refused(path)
        if size >= 12:
            assert error.message == "not a TensorFlow Lite model, or one that is damaged or cut short"
            assert all("buffer" not in detail for detail in error.details)
        assert error.hint == HINT
