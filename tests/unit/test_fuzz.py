"""Damaged models of both formats, a seeded few: `tools/fuzz_models.py` runs as many as one has time for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import evil_importer
from tests.unit import onnx_nodes
from tests.unit.tflite_models import MODELS
from tools import fuzz_models
from tools.fuzz_models import attempt, case, fuzz

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COUNT = 400
NODES = ("test_gemm_default_matrix_bias", "test_basic_conv_with_padding", "test_clip", "test_reshape_negative_dim",
         "test_split_equal_parts_2d_opset13", "test_layer_normalization_4d_axis1", "test_slice")  # fmt: skip


def sources(kind: str) -> list[bytes]:
    if kind == "tflite":
        return [make().content() for make in MODELS.values()]
    whole = [path.read_bytes() for path in sorted(EXAMPLES.glob("*/*.onnx"))]
    found = [onnx_nodes.models(onnx_nodes.cases()[name])[0][0] for name in NODES]
    return [*whole, *whole, *(made.SerializeToString() for made in found)]


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_damaged_models_give_an_error_or_a_plan(kind: str, tmp_path: Path) -> None:
    """None a traceback, none takes a second, and some of each are in it."""
    files, outcomes, path = sources(kind), [], tmp_path / f"case.{kind}"
    for number in range(COUNT):
        path.write_bytes(case(files, kind, 0, number))
        start = time.monotonic()
        outcome, text = attempt(path)
        assert outcome != "finding", f"{kind}:0:{number}\n{text}"
        assert time.monotonic() - start < 2, f"{kind}:0:{number}"
        assert outcome == "plan" or text.startswith("error: "), text
        outcomes.append(outcome)
    assert 20 < outcomes.count("plan") < COUNT / 2, "the damage is too little or too much to say anything"


def test_the_same_case_again() -> None:
    files = sources("onnx")
    assert case(files, "onnx", 3, 5) == case(files, "onnx", 3, 5)
    assert case(files, "onnx", 3, 5) != case(files, "onnx", 4, 5)


def test_crashes_hangs_and_memory_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies or hangs is replaced, the cases behind it still run, and the file is kept."""
    monkeypatch.setattr(fuzz_models, "case", evil_importer.case)
    monkeypatch.setattr(fuzz_models, "work", evil_importer.work)
    monkeypatch.setattr(fuzz_models, "LOADING", 4.0)
    limits = {"seed": 0, "seconds": 0.5, "memory": 2 << 30, "keep": tmp_path}
    *results, (last, tally) = fuzz([], "onnx", range(6), **limits)
    assert [result.outcome for result, _ in results] == ["error", *4 * ["finding"]]
    reasons = [result.text.strip().splitlines()[-1] for result, _ in results]
    assert reasons[1:] == ["the process ended with -6", "no answer in 4.5 s", "MemoryError", "KeyError: 'x'"]
    assert last.outcome == "error"
    assert sorted(path.stat().st_size for path in tmp_path.glob("*.onnx")) == [1, 2, 3, 4]
    assert [line.split(": ", 1)[1] for line in tally.findings] == reasons[1:]
