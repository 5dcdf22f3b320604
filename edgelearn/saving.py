"""Where trained weights are saved: slots of a board's store, and how often that goes well.

A save is the header and the seal of `el/persist.h`, the run's counters and settings, trained weights and optimizer
state, the replay memory where there is room for it, and what a sensor's code keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from edgelearn.boards import Board, Memory, Store
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import F32
from edgelearn.graph import Graph
from edgelearn.verdict import takes_labels

HEAD_BYTES = 128  # el_record and EL_RECORD_SEAL
RUN_BYTES = 92  # el_run, which extras.c holds the compiler to
SAVING_RAM = 36  # what persistence itself keeps in RAM
MOST_SLOTS = 32  # EL_SLOTS_MAX
KEEPS_BEST = 3  # slots: the latest, the best, and one to write to


@dataclass(frozen=True)
class Saving:
    """How a plan's saves lie in a board's store. `record` are the bytes of one, `replay` whether latents are in it."""

    store: Store
    record: int
    slot_pages: int
    slots: int
    replay: bool
    every: int  # steps

    @property
    def keeps_best(self) -> bool:
        """Whether the best save is kept beside the latest."""
        return self.slots >= KEEPS_BEST

    @property
    def saves(self) -> int:
        """Saves until a page has been erased as often as its datasheet allows, if the best stays the same all along."""
        turns = self.slots - 1 if self.keeps_best else self.slots
        return self.store.endurance * turns

    @property
    def steps(self) -> int:
        """Updates until then."""
        return self.saves * self.every


def standard_bytes(graph: Graph, config: TrainConfig) -> int:
    """What a sensor's statistics take: a count, and mean and variance of each channel."""
    return 4 + 8 * graph.tensors[graph.inputs[0]].shape[-1] if config.standardise else 0


def check_sources(graph: Graph, config: TrainConfig) -> None:
    """InputError if the model can't have a sensor."""
    if not config.sensor:
        if config.standardise:
            raise InputError("--standardise is for samples of a sensor", where="--standardise", hint="--sensor FILE.c")
        return
    if graph.tensors[graph.inputs[0]].format is not F32:
        raise InputError(
            "a sensor gives floats, and this program reads samples in another format",
            where="--sensor",
            hint="--precision fp32 and --float-prefix",
        )
    if len(graph.inputs) > 1 and not takes_labels(graph.meta["loss"]):
        raise InputError(
            "a sensor gives a sample and perhaps a label, but no vector to learn", where="--sensor", hint="--loss"
        )


def reserved(board: Board, config: TrainConfig, kept: int = 0) -> Board:
    """The board as a program finds it that saves, or has `kept` bytes of statistics: without the flash of the store,
    and with what that keeps in RAM. InputError if the board has no store.
    """
    board = msgspec.structs.replace(board, runtime_ram=board.runtime_ram + kept) if kept else board
    if not config.save_every:
        return board
    store = board.store
    if store is None:
        raise InputError(
            f"{board.id} has no flash set aside for weights",
            where="--save-every",
            hint="boards whose file has [store] can save, for example qemu-rv32",
        )
    return msgspec.structs.replace(
        board,
        memory=tuple(_without(memory, store) for memory in board.memory) if board.arch != "host" else board.memory,
        runtime_ram=board.runtime_ram + SAVING_RAM,
    )


def _without(memory: Memory, store: Store) -> Memory:
    """A memory up to where the store begins in it."""
    if memory.origin < store.origin < memory.origin + memory.size:
        return msgspec.structs.replace(memory, size=store.origin - memory.origin)
    return memory


def lay_out(board: Board, config: TrainConfig, always: int, replay: int) -> Saving | None:
    """Slots for saves of `always` bytes, and of `replay` more where that leaves room for the best as well; None where
    nothing is saved. InputError if there is not even room for two.
    """
    store = board.store
    if not config.save_every or store is None:
        return None
    found = [_slots(store, config, always + more, more > 0) for more in ((replay, 0) if replay else (0,))]
    best = next((saving for saving in found if saving.keeps_best), None) or found[-1]
    if best.slots < 2:
        raise InputError(
            f"a save is {best.record:,} bytes and there must be room for two: the store of {board.id} has"
            f" {store.pages} pages of {store.page:,}",
            where="--save-every",
            hint="train less, for example --train last",
        )
    return best


def _slots(store: Store, config: TrainConfig, payload: int, replay: bool) -> Saving:
    record = HEAD_BYTES + RUN_BYTES + payload
    pages = -(-record // store.page)
    return Saving(store, record, pages, min(store.pages // pages, MOST_SLOTS), replay, config.save_every)
