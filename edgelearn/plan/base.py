"""What a plan is: every byte of RAM and flash, every kernel, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edgelearn import kernels
from edgelearn.banks import Places
from edgelearn.boards import Board
from edgelearn.config import TrainConfig
from edgelearn.formats import F16, S8
from edgelearn.graph import Graph, Phase, Tensor
from edgelearn.memory import Arena, aligned
from edgelearn.ops import OPS
from edgelearn.ops.parts import Parts
from edgelearn.passes.samples import AUTO
from edgelearn.passes.shift_latents import latents_of
from edgelearn.predict import calls, predict
from edgelearn.recompute import is_again
from edgelearn.replay import Latents
from edgelearn.saving import Saving, lay_out, standard_bytes
from edgelearn.schedule import Schedule, Step

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


def peak_step(plan: Plan) -> Step:
    """The step at which the arena is fullest."""
    return plan.schedule.steps[max(plan.arena.peak_step, 0)]
