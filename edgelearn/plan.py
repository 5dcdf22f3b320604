"""The plan: every byte of RAM and flash, every kernel, before anything is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from edgelearn import kernels
from edgelearn.banks import Places, place
from edgelearn.boards import Board
from edgelearn.boards import available as available_boards
from edgelearn.boards import load as load_board
from edgelearn.config import HALF_SETTINGS, TrainConfig
from edgelearn.costs import step_sizes
from edgelearn.errors import EdgelearnError, InputError
from edgelearn.formats import F16, S8
from edgelearn.graph import Graph, Phase, Role, Tensor
from edgelearn.harts import divide
from edgelearn.memory import Arena, aligned
from edgelearn.ops import OPS
from edgelearn.ops.parts import Parts
from edgelearn.passes.multiply import FLOAT
from edgelearn.passes.samples import AUTO
from edgelearn.passes.shift_latents import latents_of
from edgelearn.predict import calls, predict, select
from edgelearn.recompute import is_again
from edgelearn.replay import Latents
from edgelearn.saving import Saving, check_sources, lay_out, reserved, standard_bytes
from edgelearn.schedule import Schedule, Step, make_schedule
from edgelearn.training import training_graph

SAMPLE_BYTES = {"f32": 4, "f16": 2, "s8": 1}
BLOCK = 16  # bytes: alignment and granularity of each array that the linker places


@dataclass(frozen=True)
class Block:
    """One array of the image: tensors at byte offsets, and its size rounded up to BLOCK."""

    tensors: tuple[tuple[Tensor, int], ...]
    used: int

    @property
    def nbytes(self) -> int:
        return aligned(self.used, BLOCK)


@dataclass(frozen=True)
class Limits:
    """RAM and flash that the plan may use, in bytes; the board's own unless the user set less."""

    ram: int
    flash: int


@dataclass(frozen=True)
class Plan:
    """A training program placed on a board. `sizes[k]`, `chosen[k]` and `parts[k]` belong to `schedule.steps[k]`.

    `spared` are the steps that would have taken another kernel, with more scratch, if there were RAM for it.
    """

    graph: Graph
    imported: Graph
    config: TrainConfig
    board: Board
    limits: Limits
    schedule: Schedule
    places: Places
    sizes: tuple[Mapping[str, int], ...]
    chosen: tuple[kernels.Kernel, ...]
    parts: tuple[Parts, ...]
    params: Block
    state: Block
    consts: Block
    spared: tuple[str, ...] = ()
    hash: str = field(default="")

    @property
    def arena(self) -> Arena:
        """Activations, gradients, masks and scratch."""
        return self.places.arena

    @property
    def arrays(self) -> dict[str, int]:
        """Bytes of the model's arrays beside the arena."""
        return {
            "params": self.params.nbytes,
            "state": self.state.nbytes,
            "store": self.store_bytes,
            "replay": self.replay_bytes,
        }

    @property
    def regions(self) -> dict[str, tuple[int, int]]:
        """Bytes used in each memory and how many it has, with runtime and stack in the main one."""
        used = self.places.used(self.arrays)
        used[self.board.ram.name] = used.get(self.board.ram.name, 0) + self.board.runtime_ram + self.board.stack
        return {memory.name: (used.get(memory.name, 0), memory.size) for memory in self.board.rams}

    @property
    def arena_bytes(self) -> int:
        """The arena as the linker sees it."""
        return aligned(self.arena.nbytes, BLOCK)

    @property
    def shift_latents(self) -> int:
        """Bytes of the state that are latents of weights which stay signed powers of two."""
        return sum(aligned(self.graph.tensors[own.name].nbytes) for own in latents_of(self.graph).values())

    @property
    def samples(self) -> str:
        """The format in which samples travel and are kept, a key of SAMPLE_BYTES."""
        return _sample_format(self.graph, self.config)

    @property
    def own_target(self) -> bool:
        """Whether a sample is its own target, as an autoencoder's is."""
        return len(self.graph.inputs) == 1

    @property
    def slot_bytes(self) -> int:
        """One kept sample: the sample as it travels, padded to 4 bytes, and its target, if it has one of its own."""
        return slot_size(self.graph, self.config)

    @property
    def store_used(self) -> int:
        """All kept samples."""
        return self.config.store * self.slot_bytes

    @property
    def store_bytes(self) -> int:
        """Kept samples as the linker sees them."""
        return aligned(self.store_used, BLOCK)

    @property
    def latents(self) -> Latents:
        """What a replay memory keeps of a sample."""
        return Latents.of(self.graph, self.config.latents)

    @property
    def replay_used(self) -> int:
        """The replay memory."""
        return self.latents.nbytes(self.config.replay, stored=self.config.store_latents)

    @property
    def replay_bytes(self) -> int:
        """The replay memory as the linker sees it."""
        return aligned(self.replay_used, BLOCK)

    @property
    def channels(self) -> int:
        """Of a sample: its last axis on the device."""
        return self.graph.tensors[self.graph.inputs[0]].shape[-1]

    @property
    def kept_bytes(self) -> int:
        """What the sensor's code keeps in RAM: a count, and mean and variance of each channel."""
        return standard_bytes(self.graph, self.config)

    @property
    def set_used(self) -> int:
        """The samples in flash, as they travel."""
        return self.config.bake * slot_size(self.graph, self.config.with_changes(store_latents=False))

    @property
    def saving(self) -> Saving | None:
        """How its saves lie in the board's flash; None where nothing is saved."""
        return lay_out(self.board, self.config, self.params.used + self.state.used + self.kept_bytes, self.replay_used)

    @property
    def model_ram(self) -> int:
        """Trained weights, optimizer state, arena, kept samples and latents."""
        return self.params.nbytes + self.state.nbytes + self.arena_bytes + self.store_bytes + self.replay_bytes

    @property
    def ram(self) -> int:
        """All RAM that the image claims: the model, the runtime and the reserved stack."""
        return self.model_ram + self.board.runtime_ram + self.board.stack

    @property
    def weights(self) -> int:
        """Trained and frozen weights, without the factors that int8 layers need beside theirs."""
        # A part that trains stands in for elements of a tensor that is counted as a whole.
        factors = {*self.graph.meta.get("factors", ()), *(part.name for part in self.graph.meta.get("parts", ()))}
        held = (*self.params.tensors, *self.consts.tensors)
        return sum(t.count for t, _ in held if t.name not in factors)

    @property
    def model_flash(self) -> int:
        """Initial and frozen weights, and samples that lie there. Code comes on top and is known once compiled."""
        return self.params.nbytes + self.consts.nbytes + self.set_used

    def macs(self, *phases: Phase) -> int:
        """Multiply-accumulates of one sample in the given phases."""
        pairs = zip(self.schedule.steps, self.sizes, strict=True)
        return sum(OPS[s.node.op].macs(dict(size)) for s, size in pairs if s.node.phase in phases)

    @property
    def training_macs(self) -> int:
        """Multiply-accumulates of one training sample: forward, input and weight gradients."""
        return self.macs(Phase.FORWARD, Phase.BACKWARD)

    def insn(self, index: int) -> float | None:
        """Instructions of one call of a step, as recorded costs predict them; None where nothing is known of it."""
        node = self.schedule.steps[index].node
        return predict(self.board, self.chosen[index], OPS[node.op].kernel, self.sizes[index])

    def insn_of(self, indices: Iterable[int]) -> float | None:
        """Predicted instructions of these steps for one sample, updates as often as they run; None: unknown."""
        steps, batch = self.schedule.steps, self.config.batch
        known = [(insn, k) for k in indices if (insn := self.insn(k)) is not None]
        return sum(insn * calls(steps[k].node.phase, batch) for insn, k in known) if known else None

    @property
    def training_insn(self) -> float | None:
        """Predicted instructions of one training sample, its share of the update included; None: unknown."""
        return self.insn_of(range(len(self.schedule.steps)))

    @property
    def unpredicted(self) -> list[str]:
        """The steps that the prediction leaves out."""
        return [step.node.name for step in self.schedule.steps if self.insn(step.index) is None]

    @property
    def recomputed_macs(self) -> int:
        """Of these, what computes dropped activations a second time."""
        pairs = zip(self.schedule.steps, self.sizes, strict=True)
        return sum(OPS[s.node.op].macs(dict(size)) for s, size in pairs if is_again(s.node))

    def kept(self) -> list[Tensor]:
        """What the forward pass leaves for the backward pass: activations, masks and the sample itself."""
        steps = self.schedule.steps
        written = {n for s in steps if s.node.phase is Phase.FORWARD for n in s.node.outputs} | set(
            self.graph.inputs[:1]
        )
        read = {n for s in steps if s.node.phase is Phase.BACKWARD for n in s.node.inputs}
        return [self.graph.tensors[name] for name in sorted(written & read)]

    def approximated(self) -> list[str]:
        """The layers that train by an approximate derivative."""
        found = (n for n in self.graph.nodes if n.phase is Phase.FORWARD and OPS[n.op].approximates)
        return [n.name for n in found]

    def over(self) -> tuple[int, int]:
        """Bytes over the RAM and flash limits; not positive where it fits (flash without code)."""
        over = max(used - size for used, size in self.regions.values())
        return max(self.ram - self.limits.ram, over), self.model_flash - self.limits.flash


def _sample_format(graph: Graph, config: TrainConfig) -> str:
    own = graph.tensors[graph.inputs[0]].format
    if own in (S8, F16):
        return own.name
    return "f32" if config.samples == AUTO else config.samples


def slot_size(graph: Graph, config: TrainConfig) -> int:
    """Bytes of one kept sample of a training graph, with its target."""
    sample, *targets = (graph.tensors[name] for name in graph.inputs)
    own = aligned(sample.count * SAMPLE_BYTES[_sample_format(graph, config)])
    if config.store_latents:
        own = Latents.of(graph, config.latents).nbytes_kept
    return own + sum(t.nbytes for t in targets)


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


Selected = dict[str, tuple[dict[str, int], kernels.Kernel, Parts]]


def _select(graph: Graph, board: Board, most: int | None = None) -> Selected:
    """Shape arguments, kernel and parts of each node, by its name; see `predict.select`."""
    found = {}
    for node in graph.nodes:
        sizes, op = step_sizes(graph, node), OPS[node.op]
        kernel = select(board, op.kernel, op.fmt.name, sizes, most)
        found[node.name] = sizes, *divide(op, sizes, kernel, board)
    return found


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


def peak_step(plan: Plan) -> Step:
    """The step at which the arena is fullest."""
    return plan.schedule.steps[max(plan.arena.peak_step, 0)]


def check_fit(plan: Plan) -> None:
    """InputError if RAM or flash do not suffice: how much is over, which step, and a hint that was tried."""
    over_ram, over_flash = plan.over()
    if over_ram <= 0 and over_flash <= 0:
        return
    details = []
    if over_ram > 0:
        step = peak_step(plan)
        details += [
            f"RAM: needs {plan.ram:,} bytes, {plan.limits.ram:,} are there{_beyond(plan)}",
            f"     weights {plan.params.nbytes:,} + optimizer {plan.state.nbytes:,} + arena {plan.arena_bytes:,}"
            f" + kept samples {plan.store_bytes:,} + kept latents {plan.replay_bytes:,}"
            f" + runtime {plan.board.runtime_ram:,} + stack {plan.board.stack:,}",
            f"     the arena is fullest at step {step.index}, {step.node.name}",
        ]
        if len(plan.regions) > 1:
            details += [f"     {name} holds {size:,} bytes" for name, (_, size) in plan.regions.items()]
    if over_flash > 0:
        details.append(
            f"flash: needs {plan.model_flash:,} bytes before any code, {plan.limits.flash:,} are there:"
            f" {over_flash:,} bytes over"
        )
    raise InputError(
        f"the model does not fit {plan.board.id}", where=plan.graph.name, details=tuple(details), hint=_fitting(plan)
    )


def _beyond(plan: Plan) -> str:
    """By how much the sum is over; several memories may also be too small each for what has to lie in one piece."""
    over = plan.ram - plan.limits.ram
    return f": {over:,} bytes over" if over > 0 else ", in memories too small for its pieces"


def _fewer_latents(plan: Plan) -> list[tuple[str, dict[str, object]]]:
    """As many kept latents as there is room for, if that is one a class or more."""
    latents = plan.latents
    count = plan.config.replay - -(-(plan.over()[0] + BLOCK) // latents.slot_bytes)
    return [(f"--replay {count}", {"replay": count})] if latents.classes <= count < plan.config.replay else []


def _fitting(plan: Plan) -> str:
    """A change that makes the plan fit, found by making that plan."""
    config = plan.config
    nothing_kept: dict[str, object] = {name: 0 for name in ("store", "replay") if getattr(config, name)}
    thrifty = {"optimizer": "sgd", "momentum": 0.0, "batch": 1, "clip_norm": 0.0, **nothing_kept}
    empty = "".join(f" --{name} 0" for name in nothing_kept)
    plain = f"--batch 1 --optimizer sgd --momentum 0{empty}"
    tries: list[tuple[str, dict[str, object]]] = [
        *_fewer_latents(plan),
        *([(empty.strip(), nothing_kept)] if empty else []),
        (f"--recompute 0.3{empty}", {"recompute": 0.3, **nothing_kept}),
        (f"--fold-norms{empty}", {"fold_norms": True, **nothing_kept}),
        (plain, thrifty),
        (f"{plain} --fold-norms", {**thrifty, "fold_norms": True}),
    ]
    if config.method != "last":
        head = {"train": "last", "blocks": 0}
        flags = "--train last --blocks 0" if config.blocks else "--train last"
        tries += [(f"{flags}{empty}", {**head, **nothing_kept}), (f"{flags} {plain}", {**thrifty, **head})]
    for flags, changes in tries:
        smaller = make_plan(
            plan.imported, config.with_changes(**changes), plan.board, ram=plan.limits.ram, flash=plan.limits.flash
        )
        if max(smaller.over()) <= 0:
            return f"{flags} fits: {smaller.ram:,} bytes of RAM; edgelearn plan --fit compares all that does"
    if plan.limits != Limits(plan.board.ram_bytes, plan.board.flash_bytes):
        flag, need = ("--ram", plan.ram) if plan.over()[0] > 0 else ("--flash", plan.model_flash)
        return f"no setting that edgelearn knows fits this limit; the plan as it is needs {flag} {need} or more"
    for board_id in available_boards():
        board = load_board(board_id)
        if board.emulated and max(make_plan(plan.imported, config, board).over()) <= 0:
            return f"--board {board_id} has room for it"
    return "no board and no setting that edgelearn knows fits this model; use a smaller one"


def compile_model(
    source: Graph,
    config: TrainConfig,
    board: Board,
    *,
    ram: int | None = None,
    flash: int | None = None,
    otherwise: Callable[[Plan], Plan] | None = None,
) -> Plan:
    """`make_plan` and `check_fit`; errors gain the model's name where they have none.

    `otherwise` makes another plan of one that does not fit.
    """
    try:
        plan = make_plan(source, config, board, ram=ram, flash=flash)
        if otherwise and max(plan.over()) > 0:
            return otherwise(plan)
        check_fit(plan)
    except EdgelearnError as error:
        error.where = error.where or source.name
        raise
    return plan
