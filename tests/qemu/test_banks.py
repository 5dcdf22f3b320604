"""Boards with several memories: where arrays go, and that the image, the linker and the core agree."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgelearn.banks import place, rooms
from edgelearn.boards import Board, load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.link import Link
from edgelearn.memory import overlaps
from edgelearn.plan import Plan, compile_model, make_plan
from edgelearn.session import Session
from edgelearn.share import boards_dir
from tests.support.nets import Net

CONFIG = TrainConfig(lr=0.01, momentum=0.9, epochs=1)


def board(folder: Path, dtcm: int, sram: int) -> Board:
    """The Cortex-M55 board with smaller memories and portable kernels, which want little scratch."""
    text = (boards_dir() / "qemu-m55.toml").read_text()
    text = re.sub("^kernels = .*$", 'kernels = ["blk", "ref"]', text, flags=re.MULTILINE)
    text = text.replace('size = 0x00080000\nsource = "DTCM', f'size = {dtcm}\nsource = "DTCM')
    text = text.replace('size = 0x00400000\nsource = "internal', f'size = {sram}\nsource = "internal')
    path = folder / "small-m55.toml"
    path.write_text(text)
    return load(str(path))


def net() -> Graph:
    """Maps of 8 KB, 14 KB of weights and as much state."""
    found = Net((16, 16, 8))
    for _ in range(3):
        found.conv(8, (3, 3), pads=(1, 1, 1, 1))
        found.relu()
    found.pool("max_pool2d", (4, 4), (4, 4))
    found.dense(24)
    found.dense(5)
    return found.graph()


def sizes(plan: Plan) -> tuple[int, ...]:
    return plan.params.nbytes, plan.state.nbytes, plan.arena_bytes


def test_what_fits_the_main_memory_stays_there(tmp_path: Path) -> None:
    plan = make_plan(net(), CONFIG, board(tmp_path, 131072, 65536))
    assert set(plan.places.arrays.values()) == {"dtcm"}
    assert plan.places.banks == ("dtcm",)
    assert plan.regions["sram"] == (0, 65536)
    assert "section" not in generate(plan).files["model.c"]


@pytest.mark.parametrize(
    ("dtcm", "sram", "banks"),
    [(61440, 24576, ("dtcm",)), (49152, 36864, ("sram",)), (49152, 32768, ("dtcm", "sram"))],
    ids=["state moves out", "the arena moves out", "the arena is split"],
)
def test_arrays_move_out_and_the_arena_is_split_only_where_it_must(
    tmp_path: Path, dtcm: int, sram: int, banks: tuple[str, ...]
) -> None:
    """And each of these trains on the emulated board as the reference does."""
    plan = compile_model(net(), CONFIG, board(tmp_path, dtcm, sram))
    assert plan.places.banks == banks
    assert not overlaps(plan.arena)
    room = rooms(plan.board)
    used = plan.places.used(plan.arrays)
    assert all(used[name] <= room[name] for name in used)
    assert sum(used.values()) == plan.model_ram
    for name, start, nbytes in zip(plan.places.banks, plan.arena.starts, plan.arena.banks, strict=True):
        bank = plan.places.banks.index(name)
        assert all(start <= s.offset and s.end <= start + nbytes for s in plan.arena.slots if s.bank == bank)

    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path / "out", kernel_sources=sources.kernels)
    verify_image(plan, image)
    assert image.sections[".more_sram"] == plan.regions["sram"][0]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 16, 16, 8)).astype(np.float32), rng.integers(5, size=6)
    with open_device(image) as device:
        outcome = Session(plan, Link(device), Dataset(x, y, x, y), lambda event: None).run()
    assert outcome.after is not None
    assert 0 < outcome.stack_used < plan.board.stack


def test_a_model_that_does_not_fit_says_what_each_memory_holds(tmp_path: Path) -> None:
    small = board(tmp_path, 24576, 24576)
    with pytest.raises(InputError) as caught:
        compile_model(net(), CONFIG, small)
    assert "     dtcm holds 24,576 bytes" in caught.value.details


def test_a_board_with_one_memory_has_one_place_for_all() -> None:
    plan = make_plan(net(), CONFIG, load("qemu-m4"))
    assert place(plan.schedule, plan.board, plan.arrays).banks == ("ram",)


def test_a_memory_is_named_once(tmp_path: Path) -> None:
    text = (boards_dir() / "qemu-m55.toml").read_text().replace('more = ["sram"]', 'more = ["sram", "dtcm"]')
    (tmp_path / "twice.toml").write_text(text)
    with pytest.raises(InputError, match="named twice"):
        load(str(tmp_path / "twice.toml"))
