"""What labels mean for a model: which losses take them, how many classes there are, which one a prediction names."""

from __future__ import annotations

import numpy as np

from edgelearn.graph import Graph

LABEL_LOSSES = ("cross-entropy", "stablemax", "binary-cross-entropy")


def takes_labels(loss: str) -> bool:
    """Whether the targets of a loss are class numbers, so that there is an accuracy."""
    return loss in LABEL_LOSSES


def class_count(graph: Graph) -> int:
    """The classes that a model with labels tells apart: one a score, two with a single one."""
    return max(2, graph.tensors[graph.outputs[0]].count)


def threshold(graph: Graph) -> float:
    """What a single score is compared with: a sigmoid is class 1 above 0.5, a logit above 0."""
    last = graph.producer(graph.outputs[0])
    return 0.5 if last is not None and last.op == "sigmoid" else 0.0


def verdicts(outputs: np.ndarray, limit: float) -> np.ndarray:
    """The classes (N,) of predictions (N, scores): the largest score, or whether a single one is above `limit`."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > limit).astype(np.int64)
    return np.asarray(np.argmax(outputs, axis=1))
