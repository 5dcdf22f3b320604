"""What `edgelearn inspect` counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import edgelearn
from tests.unit.import_models import model, node, random, save


def test_weights_that_layers_share_are_counted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torch's older exporter makes one tensor of equal ones, such as two biases of zeros."""
    nodes = [
        node("Gemm", ["x", "w", "b"], "h", "/first/Gemm"),
        node("Relu", ["h"], "r"),
        node("Gemm", ["r", "v", "b"], "s", "/second/Gemm"),
        node("Gemm", ["s", "v"], "y", "/third/Gemm"),
    ]
    path = save(model(nodes, (5,), {"w": random(5, 4), "v": random(4, 4), "b": random(4)}), tmp_path)
    figures = json.loads(edgelearn(capsys, "inspect", str(path), "--json").out)
    counts = {row["layer"]: (row["weights"], row["trainable"], row["shared"]) for row in figures["layers"]}
    assert counts == {"first": (24, 24, 0), "relu": (0, 0, 0), "second": (20, 20, 4), "third": (16, 16, 16)}
    assert (figures["weights"], figures["trainable"]) == (40, 40)
    said = edgelearn(capsys, "inspect", str(path)).out
    assert "40 weights, 40 of them trainable" in said
    rows = {line.split()[0]: line for line in said.splitlines() if line}
    assert "24 " in rows["first"]
    assert "shared" not in rows["first"]
    assert "20 (4 shared)" in rows["second"]
    assert "16 (16 shared)" in rows["third"]
