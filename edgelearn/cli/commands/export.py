"""`edgelearn export`."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from edgelearn.cli.options import data_option, json_option
from edgelearn.cli.output import Timer, emit, say, table, tell
from edgelearn.errors import InputError, UsageError

if TYPE_CHECKING:
    from edgelearn.export.score import FileScore


@click.command("export")
@click.argument("weights", metavar="WEIGHTS")
@click.argument("named", metavar="[MODEL]", required=False)
@click.option("--model", metavar="FILE", help="MODEL may stand here too.")
@click.option("--out", metavar="FILE", help="The file to write.  [default: trained.onnx or trained.tflite]")
@data_option
@json_option
def command(weights: str, named: str | None, model: str | None, out: str | None, as_json: bool, **flags: Any) -> None:
    """Write weights that a run saved back into the model file.

    WEIGHTS is the trained.npz of a run, MODEL the file that was trained, that
    of edgelearn.toml if none is named. The result is your own model with new
    weights; everything else in it stays as it was. With data, the accuracy of
    the result is measured in its own runtime, and activations of an int8 model
    that the new weights drive out of their range get a new one.
    """
    from edgelearn.cli.files import make_folder
    from edgelearn.cli.measure import export_samples, measure
    from edgelearn.cli.pipeline import read_data
    from edgelearn.cli.settings import make_job
    from edgelearn.importers import load
    from edgelearn.passes.dequantize import dequantize
    from edgelearn.passes.differentiate import choose_loss

    if named and model:
        raise UsageError(f"two models are named: {named} and {model}")
    job = make_job({"model": named or model, **flags})
    arrays = read_weights(Path(weights))
    timer = Timer()
    graph = load(job.model)
    target = Path(out or f"trained{job.model.suffix}")
    loss = choose_loss(dequantize(graph), job.config.loss)
    data = read_data(job.data, graph, loss) if job.data else None
    make_folder(target.parent)
    export_samples(job.model, graph, arrays, target, data)
    say(f"exported {len(arrays)} weight tensors in {timer}")
    score = measure(target, data, graph, loss) if data else None
    if as_json:
        emit({"file": str(target), "weights": sorted(arrays), "exported": asdict(score) if score else None})
        return
    if score:
        _compare(score, device_score(Path(weights), score))
    tell(str(target))


def _compare(score: FileScore, device: dict[str, float]) -> None:
    key = "loss" if score.accuracy is None else "accuracy"
    value = getattr(score, key)
    columns = ({"device": device[key]} if key in device else {}) | {score.file: value}
    row = (key, *(f"{v:.3f}" if key == "accuracy" else f"{v:.4f}" for v in columns.values()))
    for line in table((f"on {score.samples:,} held-out samples", *columns), [row], right=(1, 2)):
        tell(line)


def device_score(weights: Path, score: FileScore) -> dict[str, float]:
    """What the device reached with these weights, from the run's summary beside them; empty if there is none of as many
    samples.
    """
    try:
        after = json.loads(weights.with_name("summary.json").read_text(encoding="utf-8"))["after"]
        found = {key: float(after[key]) for key in ("accuracy", "loss") if after.get(key) is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found if after.get("samples") == score.samples else {}


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Arrays by tensor name out of an npz archive."""
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist", hint="edgelearn run writes out/trained.npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        raise InputError("this is no npz archive of weights", where=str(path)) from None
