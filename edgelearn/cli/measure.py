"""Writing a model file and measuring its accuracy, with their status lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgelearn.cli.output import Timer, say
from edgelearn.errors import InputError, ToolError

if TYPE_CHECKING:
    import numpy as np

    from edgelearn.data import Dataset
    from edgelearn.export.score import FileScore
    from edgelearn.graph import Graph


def export_samples(
    source: Path, graph: Graph, weights: Mapping[str, np.ndarray], target: Path, data: Dataset | None
) -> None:
    """Write the user's model with new weights, and say how many activations got new ranges for them."""
    from edgelearn.export import export_model

    changed = export_model(source, graph, weights, target, data.x_train if data else None)
    if changed:
        said = f"{len(changed)} activations" if len(changed) > 1 else "1 activation"
        say(f"gave {said} behind the trained layers a new range in {target.name}")


def measure(path: Path, data: Dataset, graph: Graph, loss: str) -> FileScore | None:
    """Predict the held-out samples with a file in its own runtime; None, and a word why, where that can't be done.

    `graph` is what the file was imported as.
    """
    from edgelearn.export.score import score_file
    from edgelearn.passes.dequantize import dequantize
    from edgelearn.verdict import threshold

    timer = Timer()
    try:
        score = score_file(path, data, loss, graph.meta.get("batch_axes", (0, 0)), threshold(dequantize(graph)))
    except (ToolError, InputError) as error:
        say(f"no accuracy of {path.name}: {'; '.join(filter(None, (error.message, *error.details[:1], error.hint)))}")
        return None
    say(f"measured {score.file} in {score.runtime}: {result(score)} on {score.samples:,} held-out samples in {timer}")
    return score


def result(score: FileScore) -> str:
    """`accuracy 0.981`, or the loss where there are no labels."""
    return f"loss {score.loss:.4g}" if score.accuracy is None else f"accuracy {score.accuracy:.3f}"
