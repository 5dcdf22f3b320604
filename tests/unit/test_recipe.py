"""Follows CONTRIBUTING.md's recipe for an op, so that it cannot rot: one file, found and differentiated."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import edgelearn

OP = '''
"""Squares its input."""

from edgelearn.graph import Node
from edgelearn.ops.base import Example, Op, Tape, count_sizes, same_shape


def gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("square_bwd", node.inputs[0], (node.inputs[0], tape.grad(node.outputs[0])), node)


OPS = (
    Op("square", lambda a, x: (x * x,), same_shape, count_sizes, gradient=gradient, examples=(Example({}, ((3, 5),)),)),
    Op("square_bwd", lambda a, x, dy: (2 * x * dy,), sizes=count_sizes),
)
'''

USE = """
import numpy as np
from edgelearn.ops import OPS
from tests.unit.test_gradients import test_every_op_against_finite_differences as check
assert OPS["square"].kernel == "square_fwd"
check("square", 0)
print("differentiated")
"""


def test_a_new_op_is_one_file(tmp_path: Path) -> None:
    """In a copy of the package: the running one stays as it is."""
    root = Path(edgelearn.__file__).parent.parent
    for name in ("edgelearn", "tests"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("boards", "firmware", "templates"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "edgelearn" / "ops" / "square.py").write_text(textwrap.dedent(OP))
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "differentiated\n"
