"""Makes a plan: kernels are chosen, steps put in order, arrays placed, and what all must agree on is hashed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec
import numpy as np

from edgelearn import kernels
from edgelearn.banks import place
from edgelearn.boards import Board
from edgelearn.config import HALF_SETTINGS, TrainConfig
from edgelearn.costs import step_sizes
from edgelearn.formats import F16
from edgelearn.graph import Graph, Role, Tensor
from edgelearn.harts import divide
from edgelearn.memory import aligned
from edgelearn.ops import OPS
from edgelearn.ops.parts import Parts
from edgelearn.passes.multiply import FLOAT
from edgelearn.plan.base import BLOCK, Block, Limits, Plan, slot_size
from edgelearn.predict import select
from edgelearn.replay import Latents
from edgelearn.saving import check_sources, reserved, standard_bytes
from edgelearn.schedule import make_schedule
from edgelearn.training import training_graph

Selected = dict[str, tuple[dict[str, int], kernels.Kernel, Parts]]


def _select(graph: Graph, board: Board, most: int | None = None) -> Selected:
    """Shape arguments, kernel and parts of each node, by its name; see `predict.select`."""
    found = {}
    for node in graph.nodes:
        sizes, op = step_sizes(graph, node), OPS[node.op]
        kernel = select(board, op.kernel, op.fmt.name, sizes, most)
        found[node.name] = sizes, *divide(op, sizes, kernel, board)
    return found


def _block(tensors: list[Tensor]) -> Block:
    placed, offset = [], 0
    for tensor in tensors:
        placed.append((tensor, offset))
        offset += aligned(tensor.nbytes)
    return Block(tuple(placed), offset)


def _mixed_block(tensors: list[Tensor]) -> Block:
    """Wide elements first, so that no gap is needed between formats; halves begin at whole words."""
    placed, offset = [], 0
    for tensor in sorted(tensors, key=lambda t: -t.format.bits):
        offset = aligned(offset) if tensor.format is F16 else offset
        placed.append((tensor, offset))
        offset += tensor.nbytes
    return Block(tuple(placed), offset)


def make_plan(
    source: Graph, config: TrainConfig, board: Board, *, ram: int | None = None, flash: int | None = None
) -> Plan:
    """Plan training of an imported model on a board, without asking whether it fits (see `check_fit`).

    Where RAM does not suffice for the kernels that take least, kernels with less scratch are taken: as little less as
    fits, and as little as there is where nothing does. `ram` and `flash` lower the board's limits, in bytes.
    """
    graph = training_graph(source, config)
    check_sources(graph, config)
    board = reserved(board, config, standard_bytes(graph, config))
    limits = Limits(min(ram or board.ram_bytes, board.ram_bytes), min(flash or board.flash_bytes, board.flash_bytes))
    wanted = _select(graph, board)
    plan = _placed(graph, source, config, board, limits, wanted)
    if plan.over()[0] > 0:
        plan = _spare(plan, wanted)
    _ = plan.saving  # there must be room for it
    return replace(plan, hash=_digest(plan))


def _spare(plan: Plan, wanted: Selected) -> Plan:
    """The same with less scratch."""

    def with_at_most(most: int) -> Plan:
        taken = _select(plan.graph, plan.board, most)
        spared = tuple(name for name, (_, kernel, _) in taken.items() if kernel.name != wanted[name][1].name)
        return (
            _placed(plan.graph, plan.imported, plan.config, plan.board, plan.limits, taken, spared) if spared else plan
        )

    best = with_at_most(0)
    bounds = sorted({kernel.scratch for _, kernel, _ in wanted.values() if kernel.scratch})
    low, high = 0, len(bounds) - 1  # bounds[high] is as much as was wanted
    while best.over()[0] <= 0 and low < high:
        middle = (low + high) // 2
        tried = with_at_most(bounds[middle])
        if tried.over()[0] <= 0:
            best, low = tried, middle + 1
        else:
            high = middle
    return best if best.ram < plan.ram else plan


def _placed(
    graph: Graph, source: Graph, config: TrainConfig, board: Board, limits: Limits, chosen: Selected,
    spared: tuple[str, ...] = (),
) -> Plan:  # fmt: skip
    """The plan with these kernels, without its hash."""
    schedule = make_schedule(graph, {name: kernel.scratch for name, (_, kernel, _) in chosen.items()})
    rows = [chosen[step.node.name] for step in schedule.steps]
    used = {name for node in graph.nodes for name in node.inputs}
    params, state = _block(graph.of_role(Role.PARAM)), _block(graph.of_role(Role.STATE))
    arrays = {
        "params": params.nbytes,
        "state": state.nbytes,
        "store": aligned(config.store * slot_size(graph, config), BLOCK),
        "replay": aligned(Latents.of(graph, config.latents).nbytes(config.replay, stored=config.store_latents), BLOCK),
    }
    return Plan(
        graph=graph,
        imported=source,
        config=config,
        board=board,
        limits=limits,
        schedule=schedule,
        places=place(schedule, board, arrays),
        sizes=tuple(size for size, _, _ in rows),
        chosen=tuple(kernel for _, kernel, _ in rows),
        parts=tuple(parts for _, _, parts in rows),
        params=params,
        state=state,
        consts=_mixed_block([t for t in graph.of_role(Role.CONST) if t.name in used]),
        spared=spared,
    )


def _digest(plan: Plan) -> str:
    """16 hex digits over everything that the image and the host must agree on."""
    digest = hashlib.sha256()
    settings = msgspec.structs.asdict(plan.config)
    if plan.config.precision == "fp32":
        settings = {name: value for name, value in settings.items() if name not in HALF_SETTINGS}
    if not settings["shift_latents"]:
        del settings["latent_size"]
    for name in [name for name in ("sensor", "standardise", "bake", "shift_latents") if not settings[name]]:
        del settings[name]
    if settings["multiply"] == FLOAT:
        del settings["multiply"]
    if settings.pop("save_every"):  # how often is nothing to agree on
        digest.update(b"saves")
    for item in (plan.board.id, sorted(settings.items()), plan.samples, plan.graph.inputs, plan.graph.outputs):
        digest.update(repr(item).encode())
    for step, kernel, parts in zip(plan.schedule.steps, plan.chosen, plan.parts, strict=True):
        node = step.node
        divided = (parts,) if parts else ()
        digest.update(repr((kernel.name, node.inputs, node.outputs, sorted(node.attrs.items()), *divided)).encode())
    digest.update(repr((sorted(plan.places.arrays.items()), plan.places.banks)).encode())
    for slot in plan.arena.slots:
        digest.update(repr((slot.buffer.name, slot.offset, slot.size, slot.bank)).encode())
    for tensor, offset in (*plan.params.tensors, *plan.consts.tensors):
        digest.update(repr((tensor.name, offset)).encode())
        if tensor.data is not None:
            digest.update(np.ascontiguousarray(tensor.data, tensor.format.dtype).tobytes())
    return digest.hexdigest()[:16]
