"""What a plan that does not fit says."""

from __future__ import annotations

import msgspec
import pytest

from edgelearn.boards import Board, load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.plan import compile_model, make_plan
from tests.support.nets import NETS

# With kernels that want no scratch, so that there is nothing to spare.
WHOLE = msgspec.structs.replace(load("qemu-m55"), id="portable", kernels=("ref",))


def two_memories(first: int, second: int) -> Board:
    """The Cortex-M55 board with memories of so many bytes."""
    board = WHOLE
    sizes = {board.layout.ram: first, board.layout.more[0]: second}
    memory = tuple(msgspec.structs.replace(m, size=sizes.get(m.name, m.size)) for m in board.memory)
    return msgspec.structs.replace(board, memory=memory)


def words(board: Board) -> str:
    with pytest.raises(InputError) as caught:
        compile_model(NETS["conv1d_net"](), TrainConfig(), board)
    return caught.value.details[0]


def test_with_two_memories_the_sum_is_what_is_over() -> None:
    """It once said what would be over if all lay in the first one: more bytes over than were missing."""
    need = make_plan(NETS["conv1d_net"](), TrainConfig(), WHOLE).ram
    half = need // 2
    assert (
        words(two_memories(half, need - half - 32))
        == f"RAM: needs {need:,} bytes, {need - 32:,} are there: 32 bytes over"
    )


def test_memories_that_suffice_together_are_not_called_too_small_together() -> None:
    need = make_plan(NETS["conv1d_net"](), TrainConfig(), WHOLE).ram
    said = words(two_memories(need // 2, need - need // 2))
    assert said == f"RAM: needs {need:,} bytes, {need:,} are there, in memories too small for its pieces"
