"""`edgelearn export`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgelearn.cli.options import json_option
from edgelearn.cli.output import Timer, emit, say, tell
from edgelearn.errors import InputError


@click.command("export")
@click.argument("weights", metavar="WEIGHTS")
@click.option("--model", metavar="ONNX", help="The model that was trained.  [default: from edgelearn.toml]")
@click.option("--out", metavar="FILE", help="The file to write.  [default: trained.onnx or trained.tflite]")
@json_option
def command(weights: str, out: str | None, as_json: bool, **flags: Any) -> None:
    """Write weights that a run saved back into the model file.

    WEIGHTS is the trained.npz of a run. The result is your own model with new
    weights; everything else in it stays as it was.
    """
    from edgelearn.cli.files import make_folder
    from edgelearn.cli.settings import make_job
    from edgelearn.export import export_model
    from edgelearn.importers import load

    job = make_job(flags)
    arrays = read_weights(Path(weights))
    timer = Timer()
    graph = load(job.model)
    target = Path(out or f"trained{job.model.suffix}")
    make_folder(target.parent)
    export_model(job.model, graph, arrays, target)
    say(f"exported {len(arrays)} weight tensors in {timer}")
    if as_json:
        emit({"file": str(target), "weights": sorted(arrays)})
    else:
        tell(str(target))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Arrays by tensor name out of an npz archive."""
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist", hint="edgelearn run writes out/trained.npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        raise InputError("this is no npz archive of weights", where=str(path)) from None
