"""A board's memory as tensors."""

from __future__ import annotations

import numpy as np

from edgelearn.passes.split import home
from edgelearn.plan import Block, Plan


def trained_tensors(plan: Plan, data: bytes) -> dict[str, np.ndarray]:
    """The trained weights of a board's memory, float32, as the imported graph has them."""
    return at_home(plan, tensors_of(plan.params, data))


def at_home(plan: Plan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Trained weights of the board's graph, float32, as the imported graph has them."""
    return home(plan.graph, {n: w.astype(np.float32) for n, w in weights.items()})


def tensors_of(block: Block, data: bytes) -> dict[str, np.ndarray]:
    """The tensors of an array of the board, each in its own format."""
    return {
        t.name: np.frombuffer(data, t.format.dtype.newbyteorder("<"), t.count, at).reshape(t.shape).copy()
        for t, at in block.tensors
    }
