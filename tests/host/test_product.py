"""Blocks of packed products: Python reserves the scratch that the C code uses."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgelearn.build.compile import SANITIZE
from edgelearn.kernels import product, rvf, thumb, thumb_m4
from edgelearn.ops import OPS
from edgelearn.share import firmware_dir
from tests.support.kernel_cases import WINDOWS

PROBE = Path(__file__).resolve().parents[1] / "support" / "product_probe.c"
STEPS = ("conv2d_fwd", "conv2d_bwd_x", "conv2d_bwd_w")

SOURCE = """
#include "kernels/product/block.h"
void cut(const int32_t *in, int32_t *out)
{
    const el_blocks b = el_blocks_of(in[0], in[1], in[2], in[3], in[4]);
    int32_t most = 0;
    for (int32_t k = 0, end; b.terms != 0 && k < in[0]; k = end) {
        end = el_block_end(&b, k);
        most = el_max(most, end - k);
    }
    out[0] = b.terms;
    out[1] = b.panels;
    out[2] = most;
}
"""
NAMES = ("EL_TILE_COST", "EL_ROWS_COST", "EL_PACK_COST", "EL_APART_COST")
TILES = {
    "product/block.h": product.Tile(6, (4,)),
    "thumb/wide.h": thumb.POSITIONS,
    "thumb/square.h": thumb.WEIGHTS,
    "thumb/tile.h": thumb_m4.WEIGHTS,
    "thumb/wide.h thumb/positions_f16.h thumb/halves.h": thumb.HALF_POSITIONS,
    "rvf/positions.h": rvf.POSITIONS,
    "rvf/weights.h": rvf.WEIGHTS,
}


def _defines(tile: product.Tile) -> list[str]:
    costs = [f"-D{name}={cost}" for name, cost in zip(NAMES, tile.costs, strict=True)]
    return [f"-DEL_SCRATCH_BYTES={tile.bytes}", *costs]


@pytest.mark.parametrize("name", TILES)
def test_the_header_says_what_the_table_says(name: str) -> None:
    folder = firmware_dir() / "kernels"
    found: dict[str, int] = {}
    for file in ("product/block.h", *name.split()):
        found |= {k: int(n) for k, n in re.findall(r"#define (EL_[A-Z_]+) (\d+)\b", (folder / file).read_text())}
    tile = TILES[name]
    assert [found[n] for n in NAMES] == list(tile.costs)
    assert found["EL_SCRATCH_BYTES"] == tile.bytes
    if name != "product/block.h":
        found |= {
            k: int(n)
            for k, n in re.findall(
                r"#define (EL_TILE_\w+) (\d+)\b", (folder / name.split("/")[0] / "tile.h").read_text()
            )
            if k not in found
        }
        height = found.get("EL_ROWS_MOST", found["EL_TILE_HEIGHT"])
        assert (height, found["EL_TILE_WIDTH"]) == (tile.height, tile.widths[0])
        assert found.get("EL_SUMS_BYTES", 0) == tile.sums


@pytest.mark.parametrize("name", TILES)
def test_blocks(name: str, tmp_path: Path) -> None:
    tile = TILES[name]
    source, library = tmp_path / "cut.c", tmp_path / "cut.so"
    source.write_text(SOURCE)
    command = ["cc", "-O1", "-shared", "-fPIC", f"-I{firmware_dir()}", *_defines(tile), source, "-o", library]
    subprocess.run([str(c) for c in command], check=True, timeout=60)
    cut = ctypes.CDLL(str(library)).cut
    out = np.zeros(3, np.int32)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        pieces, piece, panels = (int(rng.integers(1, n)) for n in (50, 400, 300))
        panel, rows = tile.widths[0] * tile.element_bytes, tile.height * tile.row_bytes
        ints = np.array([pieces * piece, piece, panels, panel, rows], np.int32)
        cut(ints.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p))
        terms, wide = product.blocks(
            product.Product(pieces * piece, piece, panels), panel, rows, tile.bytes, tile.costs
        )
        assert (out[0], out[1]) == (terms, wide)
        assert terms * (wide * panel + rows) <= tile.bytes
        assert out[2] <= terms


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("room", "sums"), [(320, 0), (8192, 0), (320, 160), (640, 4096)])
def test_nothing_beyond_an_array(apart: bool, room: int, sums: int, tmp_path: Path) -> None:
    """All shapes under sanitizers, in blocks of a few terms too, whose sums may wait in scratch."""
    costs = (25, 150, 1, 30) if apart else product.COSTS
    tile = product.Tile(5, (4,), bytes=room, costs=costs, in_place=apart and not sums, sums=sums)
    program = tmp_path / "probe"
    command = ["cc", "-std=c11", "-O1", "-g", *SANITIZE, *_defines(tile), *(["-DEL_ROWS_APART"] if apart else [])]
    command += [f"-DEL_SUMS_BYTES={sums}"] if sums else []
    command += [f"-I{firmware_dir()}", f"-I{firmware_dir() / 'include'}", str(PROBE)]
    command += [str(firmware_dir() / "kernels/ref/conv2d.c"), "-lm", "-o", str(program)]
    subprocess.run(command, check=True, timeout=120)
    lines = []
    for h, w, c, co, kernel, stride, pads, groups in WINDOWS.values():
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups}
        x, weight = (h, w, c), (co, *kernel, c // groups)
        (y,) = OPS["conv2d"].infer(attrs, [x, weight])
        s = OPS["conv2d"].sizes(attrs, [x], [y])
        if all(tile.supports(step)(s) for step in STEPS):
            lines.append([*s.values(), *(tile.scratch(step)(s) for step in STEPS)])
    assert len(lines) > 10
    subprocess.run([str(program)], input=np.array(lines, np.int32).tobytes(), check=True, timeout=60)
