"""`edgelearn ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import emit, table, tell, wrap

if TYPE_CHECKING:
    from edgelearn.ops import Op


@click.command("ops")
@click.option("--table", "as_table", is_flag=True, help="The ONNX operators as a Markdown table.")
@json_option
def command(as_table: bool, as_json: bool) -> None:
    """List the operators a model may use.

    First the ONNX and TensorFlow Lite operators that are imported, then the
    operators of the device that they become.
    """
    from edgelearn.importers.onnx.limits import LIMITS
    from edgelearn.importers.tflite.call import HANDLERS as TFLITE

    onnx = {
        name: {"becomes": LIMITS[name].becomes, "restrictions": LIMITS[name].restrictions} for name in sorted(LIMITS)
    }
    tflite = sorted(TFLITE)
    device = _device()
    if as_json:
        emit({"onnx": onnx, "tflite": tflite, "device": device})
    elif as_table:
        _markdown(onnx)
    else:
        _plain(onnx, tflite, device)


def _device() -> list[dict[str, Any]]:
    from edgelearn.kernels import TABLE
    from edgelearn.ops import OPS

    def isas(op: Op) -> list[str]:
        own = (op.name, *(f"{op.name}_{step}" for step in ("bwd", "bwd_x", "bwd_w")))
        steps = {OPS[name].kernel for name in own if name in OPS}
        return list(dict.fromkeys(e.isa for e in TABLE if e.step in steps and e.fmt == op.fmt.name))

    return [
        {"op": op.name, "summary": op.summary, "weights": len(op.weights), "kernels": isas(op)}
        for op in sorted(OPS.values(), key=lambda op: op.name)
        if op.summary
    ]


def _markdown(onnx: dict[str, dict[str, str]]) -> None:
    tell("| ONNX | on the device | restrictions |")
    tell("|---|---|---|")
    for name, row in onnx.items():
        tell(f"| {name} | {row['becomes']} | {row['restrictions']} |")


def _plain(onnx: dict[str, dict[str, str]], tflite: list[str], device: list[dict[str, Any]]) -> None:
    tell("from ONNX, opset 7 to 21, and what is not supported of them:")
    width = max(map(len, onnx)) + 2
    for name, row in onnx.items():
        first, *rest = wrap(row["restrictions"], 80 - width - 2) or [""]
        tell(f"  {name:<{width}}{first}")
        for line in rest:
            tell(f"  {'':<{width}}{line}")
    tell()
    tell("from TensorFlow Lite, float32 and int8:")
    for line in wrap(", ".join(tflite), 78):
        tell(f"  {line}")
    tell()
    rows = [(d["op"], "yes" if d["weights"] else "", d["summary"]) for d in device]
    for line in table(("on the device", "weights", "what"), rows):
        tell(line)
