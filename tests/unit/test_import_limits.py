"""The table of restrictions names what is imported, and nothing else."""

from __future__ import annotations

import edgelearn.importers.onnx.convert  # noqa: F401  (registers the handlers)
from edgelearn.importers.onnx.call import HANDLERS
from edgelearn.importers.onnx.limits import LIMITS
from edgelearn.ops import OPS


def test_every_op_has_its_row() -> None:
    assert list(LIMITS) == sorted(HANDLERS)


def test_rows_name_ops_of_the_device() -> None:
    named = {op for row in LIMITS.values() for op in row.becomes.split(", ") if op}
    assert named <= OPS.keys()


def test_rows_are_sentences_for_a_table() -> None:
    for row in LIMITS.values():
        assert not row.restrictions.endswith(".")
        assert "|" not in row.restrictions
