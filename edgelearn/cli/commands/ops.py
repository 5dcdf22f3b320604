"""`edgelearn ops`."""

from __future__ import annotations

from typing import Any

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import emit, table, tell, wrap


@click.command("ops")
@json_option
def command(as_json: bool) -> None:
    """List the operators a model may use.

    First the ONNX operators that are imported, then the operators of the
    device that they become.
    """
    from edgelearn.importers.onnx.call import HANDLERS
    from edgelearn.kernels import TABLE
    from edgelearn.ops import OPS, Op

    def isas(op: Op) -> list[str]:
        own = (op.name, *(f"{op.name}_{step}" for step in ("bwd", "bwd_x", "bwd_w")))
        steps = {OPS[name].kernel for name in own if name in OPS}
        return list(dict.fromkeys(e.isa for e in TABLE if e.step in steps))

    imported = {name: _sentence(HANDLERS[name].__doc__ or "") for name in sorted(HANDLERS)}
    own = [op for op in OPS.values() if op.summary]
    device: list[dict[str, Any]] = [
        {"op": op.name, "summary": op.summary, "weights": len(op.weights), "kernels": isas(op)} for op in own
    ]
    if as_json:
        emit({"onnx": imported, "device": device})
        return
    tell("from ONNX, opset 7 to 21:")
    width = max(map(len, imported)) + 2
    for name, text in imported.items():
        first, *rest = wrap(text, 80 - width - 2)
        tell(f"  {name:<{width}}{first}")
        for line in rest:
            tell(f"  {'':<{width}}{line}")
    tell()
    rows = [(d["op"], "yes" if d["weights"] else "", ",".join(d["kernels"]), d["summary"]) for d in device]
    for line in table(("on the device", "weights", "kernels", "what"), rows):
        tell(line)


def _sentence(text: str) -> str:
    """The first sentence of a docstring."""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")
