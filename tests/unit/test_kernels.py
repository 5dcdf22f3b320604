"""The table of kernels agrees with the C sources, and selection falls back to the reference."""

from __future__ import annotations

import pytest

from edgelearn import kernels
from edgelearn.errors import InternalError
from edgelearn.ops import OPS
from edgelearn.share import firmware_dir

WINDOW = {
    "in_h": 8, "in_w": 8, "in_c": 4, "out_h": 8, "out_w": 8, "out_c": 6, "k_h": 3, "k_w": 3, "stride_h": 1,
    "stride_w": 1, "pad_top": 1, "pad_left": 1, "groups": 1, "count_pad": 0, "in_pitch": 4, "out_pitch": 6,
    "hidden": 5, "in": 33, "out": 17, "rows": 9, "channels": 7, "pitch": 7, "count": 61,
}  # fmt: skip


def test_table_and_firmware_name_the_same_files() -> None:
    files = {str(p.relative_to(firmware_dir())) for p in (firmware_dir() / "kernels").rglob("*.c")}
    assert files == {entry.source for entry in kernels.TABLE}


def test_every_op_has_a_reference_kernel() -> None:
    for op in OPS.values():
        assert kernels.find(op.kernel, op.fmt.name, "ref") is not None, op.name


def test_no_entry_twice() -> None:
    assert len({e.symbol for e in kernels.TABLE}) == len(kernels.TABLE)


def test_scratch_is_whole_words() -> None:
    for entry in kernels.TABLE:
        if entry.scratch is not kernels.no_scratch:
            assert entry.scratch(WINDOW) > 0
            assert entry.scratch(WINDOW) % 4 == 0


def test_selection() -> None:
    chosen = kernels.select("conv2d_fwd", "f32", ["blk", "ref"], WINDOW)
    assert chosen.name == "el_conv2d_fwd_f32__blk"
    assert chosen.source == "kernels/blk/conv2d.c"
    assert chosen.scratch == 4 * 3 * 3 * 4 * 4
    assert kernels.select("conv2d_fwd", "f32", [], WINDOW).isa == "ref"
    assert kernels.select("mse_fwd", "f32", ["mve"], {"count": 3}).scratch == 0
    with pytest.raises(InternalError, match="no kernel for fly_fwd"):
        kernels.select("fly_fwd", "f32", ["ref"], {})
