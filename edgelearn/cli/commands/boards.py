"""`edgelearn boards`."""

from __future__ import annotations

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import emit, table, tell


def memory_text(size: int) -> str:
    """Bytes as K or M where that is exact."""
    for unit, text in ((1 << 20, "M"), (1 << 10, "K")):
        if size % unit == 0:
            return f"{size // unit}{text}"
    return str(size)


@click.command("boards")
@json_option
def command(as_json: bool) -> None:
    """List the boards."""
    from edgelearn import boards

    found = [boards.load(name) for name in boards.available()]
    if as_json:
        emit(
            [
                {
                    "id": b.id,
                    "description": b.description,
                    "arch": b.arch,
                    "cpu": b.cpu,
                    "ram": b.ram_bytes,
                    "flash": b.flash_bytes,
                    "ram_for_model": b.ram_for_model,
                    "kernels": list(b.kernels),
                    "carriers": list(b.link.carriers),
                    "emulated": b.emulated,
                }
                for b in found
            ]
        )
        return
    rows = [
        (b.id, memory_text(b.ram_bytes), memory_text(b.flash_bytes), ",".join(b.kernels), b.description) for b in found
    ]
    for line in table(("board", "RAM", "flash", "kernels", "what"), rows, right=(1, 2)):
        tell(line)
