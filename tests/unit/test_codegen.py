"""Generated C: names, numbers, line breaks, and that it compiles whatever the model calls its layers."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.codegen import WIDTH, c_float, c_name, generate, wrap_call
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.plan import make_plan
from tests.support.clib import FLAGS
from tests.support.nets import NETS

NASTY = {"dense0": "float", "tanh3": "o", "dense4": "el_arena", "relu1": "a.b", "dense2": "a b", "softmax5": "2nd/out"}


@pytest.mark.parametrize("value", [0.1, 1.0, -0.0, 1e-45, 3.4028235e38, 1 / 3, 16777217.0, -2.5e-7])
def test_float_literals_are_exact(value: float) -> None:
    text = c_float(value)
    assert text.endswith("f")
    assert np.float32(text[:-1]) == np.float32(value)
    assert "." in text or "e" in text


def test_names_are_identifiers() -> None:
    assert [c_name(n) for n in ("float", "el_arena", "a.b", "2nd", "window")] == [
        "float_", "t_el_arena", "a_b", "t_2nd", "window",
    ]  # fmt: skip


def test_calls_break_between_arguments() -> None:
    lines = wrap_call("f", [f"argument_{k}" for k in range(20)]).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[-1].endswith(");")


def renamed(graph: Graph, names: dict[str, str]) -> Graph:
    """The graph with other tensor and node names."""

    def new(name: str) -> str:
        return names.get(name, name)

    tensors = {new(t.name): replace(t, name=new(t.name)) for t in graph.tensors.values()}
    nodes = [
        replace(n, name=new(n.name), inputs=tuple(map(new, n.inputs)), outputs=tuple(map(new, n.outputs)))
        for n in graph.nodes
    ]
    return graph.replace(tensors=tensors, nodes=nodes, outputs=tuple(map(new, graph.outputs)))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("net", [*NETS, "nasty"])
def test_generated_code_compiles_without_a_warning(net: str, compiler: str, tmp_path: Path) -> None:
    source = renamed(NETS["mlp"](), NASTY) if net == "nasty" else NETS[net]()
    for config in (TrainConfig(), TrainConfig(train="last", momentum=0.9, batch=2, clip_norm=1.0)):
        for name, text in generate(make_plan(source, config, load("host"))).files.items():
            (tmp_path / name).write_text(text)
            assert max(map(len, text.splitlines())) <= 120
        for path in tmp_path.glob("*.c"):
            done = subprocess.run([compiler, *FLAGS, "-fsyntax-only", str(path)], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")


def test_the_same_plan_gives_the_same_bytes() -> None:
    texts = [generate(make_plan(NETS["residual_net"](), TrainConfig(), load("qemu-m4"))).files for _ in range(2)]
    assert texts[0] == texts[1]
