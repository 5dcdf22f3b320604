"""Slots of a store: what fits, how often it goes well, what a plan says of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edgelearn.boards import Board, load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.plan import Plan, make_plan
from edgelearn.report import plan_figures, saving_words
from edgelearn.saving import HEAD_BYTES, RUN_BYTES, SAVING_RAM
from tests.support.nets import NETS

CONFIG = TrainConfig(optimizer="adam", save_every=50)


def plan(board: Board | None = None, **changes: Any) -> Plan:
    return make_plan(NETS["residual_net"](), CONFIG.with_changes(**changes), board or load("qemu-m4"))


def with_store(**changes: Any) -> Board:
    board = load("qemu-m4")
    assert board.store is not None
    return msgspec.structs.replace(board, store=msgspec.structs.replace(board.store, **changes))


def test_a_save_is_all_that_training_needs() -> None:
    p = plan()
    saving = p.saving
    assert saving is not None
    assert saving.record == HEAD_BYTES + RUN_BYTES + p.params.used + p.state.used
    assert saving.slot_pages == -(-saving.record // 4096)
    assert saving.slots == min(64 // saving.slot_pages, 32)
    assert saving.saves == 10000 * (saving.slots - 1)
    assert saving.steps == 50 * saving.saves
    assert plan_figures(p)["saving"]["saves"] == saving.saves
    assert f"saves {saving.record:,} bytes every 50 updates in RAM that stands in for flash" in saving_words(p)


def test_a_plan_that_does_not_save_is_as_it_was() -> None:
    p = plan(save_every=0)
    assert p.saving is None
    assert saving_words(p) == ""
    assert plan_figures(p)["saving"] is None
    assert plan().ram == p.ram + SAVING_RAM


def test_how_often_is_nothing_that_weights_depend_on() -> None:
    assert plan(save_every=7).hash == plan().hash != plan(save_every=0).hash


def test_two_slots_have_no_room_for_the_best() -> None:
    found = plan(with_store(pages=4, page=8192)).saving
    assert found is not None
    two = plan(with_store(pages=2 * found.slot_pages, page=8192))
    assert two.saving is not None
    assert (two.saving.slots, two.saving.keeps_best, two.saving.saves) == (2, False, 20000)
    assert "without the best so far" in saving_words(two)
    with pytest.raises(InputError, match="there must be room for two"):
        plan(with_store(pages=2, page=1024))


def test_latents_are_saved_where_the_best_fits_beside_them() -> None:
    replay: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0, "train": "last", "replay": 64}
    p = plan(**replay)
    assert p.saving is not None
    assert p.saving.replay
    assert p.saving.record == HEAD_BYTES + RUN_BYTES + p.params.used + p.replay_used
    small = plan(with_store(pages=4, page=1024), **replay)
    assert small.saving is not None
    assert not small.saving.replay
    assert "the 64 latents do not fit and are not saved" in saving_words(small)


def test_flash_ends_where_the_store_begins() -> None:
    board = load("nucleo_f446re")
    store = board.store
    assert store is not None
    assert store.origin + store.size == board.flash.origin + board.flash.size
    p = plan(board)
    assert p.board.flash.origin + p.board.flash.size == store.origin
    assert p.limits.flash == p.board.flash.size
    assert plan(board, save_every=0).limits.flash == board.flash.size


def test_a_board_without_a_store_refuses() -> None:
    with pytest.raises(InputError, match="no flash set aside"):
        plan(msgspec.structs.replace(load("qemu-m4"), store=None))
