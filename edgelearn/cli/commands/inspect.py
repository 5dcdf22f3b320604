"""`edgelearn inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import emit, say, table, tell, wrap

if TYPE_CHECKING:
    from edgelearn.graph import Layout
    from edgelearn.plan import Plan


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Show what a model is made of and what training it would take.

    Layers, shapes, weights, multiply-accumulates and the bytes that the
    backward pass needs, everything trained with batch 1. A model with parts
    that are not supported is answered with all of them at once. Weights that
    an earlier layer has too are marked as shared, and counted once.
    """
    from edgelearn.boards import load as load_board
    from edgelearn.config import TrainConfig
    from edgelearn.importers import load
    from edgelearn.plan import make_plan

    graph = load(model)
    for warning in graph.meta.get("warnings", ()):
        say(f"warning: {warning}")
    plan = make_plan(graph, TrainConfig(), load_board("host"))
    figures = _figures(model, plan)
    if as_json:
        emit(figures)
        return
    for line in _lines(figures):
        tell(line)


def _layout(layout: Layout) -> dict[str, Any]:
    return {"name": layout.name, "shape": list(layout.user_shape), "on_device": list(layout.device_shape)}


def _figures(model: Path, plan: Plan) -> dict[str, Any]:
    from edgelearn.graph import Phase
    from edgelearn.report import layers

    found = layers(plan)
    rows = [
        {
            "layer": layer.name,
            "op": layer.op,
            "output": list(layer.shape),
            "weights": layer.weights,
            "trainable": layer.trained,
            "shared": layer.shared,
            "macs_forward": layer.forward_macs,
            "macs_training": layer.forward_macs + layer.backward_macs,
        }
        for layer in found
    ]
    graph = plan.imported
    return {
        "model": str(model),
        "input": _layout(graph.meta["input"]),
        "output": _layout(graph.meta["output"]),
        "loss": plan.graph.meta["loss"],
        "layers": rows,
        "weights": sum(layer.weights - layer.shared for layer in found),
        "trainable": sum(layer.trained - layer.shared_trained for layer in found),
        "macs_forward": plan.macs(Phase.FORWARD),
        "macs_training": plan.training_macs,
        "kept_bytes": sum(t.nbytes for t in plan.kept()),
        "arena_bytes": plan.arena.nbytes,
    }


def _lines(figures: dict[str, Any]) -> list[str]:
    def dims(shape: list[int]) -> str:
        return "x".join(map(str, shape))

    into, out = figures["input"], figures["output"]
    head = (
        f"{Path(figures['model']).name}: {into['name']} {dims(into['shape'])} to {out['name']} {dims(out['shape'])},"
        f" {figures['weights']:,} weights, {figures['trainable']:,} of them trainable"
    )
    rows: list[tuple[object, ...]] = []
    for layer in figures["layers"]:
        said = [f"{layer['trainable']:,} trainable"] if layer["trainable"] != layer["weights"] else []
        said += [f"{layer['shared']:,} shared"] if layer["shared"] else []
        part = f" ({', '.join(said)})" if said else ""
        counts = (f"{layer[key]:,}" if layer[key] else "" for key in ("macs_forward", "macs_training"))
        weights = f"{layer['weights']:,}{part}" if layer["weights"] else ""
        rows.append((layer["layer"][:24], layer["op"], dims(layer["output"]), weights, *counts))
    rows.append(("a sample", "", "", "", f"{figures['macs_forward']:,}", f"{figures['macs_training']:,}"))
    tail = (
        f"training everything keeps {figures['kept_bytes']:,} bytes from the forward for the backward pass;"
        f" the arena of batch 1 and plain SGD has {figures['arena_bytes']:,} bytes"
    )
    heads = ("layer", "op", "output", "weights", "MACs fwd", "MACs train")
    return [*wrap(head), "", *table(heads, rows, right=(3, 4, 5)), "", *wrap(tail)]
