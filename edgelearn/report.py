"""What a plan and a run come to, as figures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgelearn import __version__, kernels
from edgelearn.formats import F16, F32
from edgelearn.graph import Phase, Role
from edgelearn.ops import OPS
from edgelearn.ops.shift_latents import latent_count
from edgelearn.passes.precision import is_scaled
from edgelearn.passes.shift_latents import latents_of
from edgelearn.peaks import peaks
from edgelearn.plan import Plan, make_plan, peak_step

if TYPE_CHECKING:
    from edgelearn.build.image import Image
    from edgelearn.cut import Cut
    from edgelearn.export.score import FileScore
    from edgelearn.session import Outcome


# Where half precision would save time: products of weights and maps.
_PRODUCTS = {f"{op}_f16" for op in ("conv2d", "depthwise_conv2d", "dense")}


@dataclass(frozen=True)
class Layer:
    """One layer of the forward pass and what training it costs, in multiply-accumulates a sample.

    Of its `weights`, `shared` are those of an earlier layer, and so are `shared_trained` of the trained ones. `insn` is
    what recorded costs predict of a sample's instructions, without updates; None where the board has none.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    weights: int
    trained: int
    forward_macs: int
    backward_macs: int
    kernels: tuple[str, ...]
    shared: int = 0
    shared_trained: int = 0
    insn: int | None = None


def layers(plan: Plan) -> list[Layer]:
    """The forward nodes in order, each with the backward steps that were derived from it."""
    forward = [s.node for s in plan.schedule.steps if s.node.phase is Phase.FORWARD]
    owner: dict[int, str] = {}
    for step in plan.schedule.steps:
        names = [n.name for n in forward if step.node.name == n.name or step.node.name.startswith(f"{n.name}_")]
        if step.node.phase in (Phase.FORWARD, Phase.BACKWARD) and names:
            owner[step.index] = max(names, key=len)
    rows, factors = [], set(plan.graph.meta.get("factors", ()))
    seen: set[str] = set()
    for node in forward:
        own = [s for s in plan.schedule.steps if owner.get(s.index) == node.name]
        macs = {s.index: OPS[s.node.op].macs(dict(plan.sizes[s.index])) for s in own}
        used = dict.fromkeys(name for name in node.inputs if name and name not in factors)
        tensors = [t for t in map(plan.graph.tensors.__getitem__, used) if t.role in (Role.PARAM, Role.CONST)]
        again, insn = [t for t in tensors if t.name in seen], plan.insn_of(s.index for s in own)
        seen.update(t.name for t in tensors)
        rows.append(
            Layer(
                name=node.name,
                op=node.op,
                shape=plan.graph.tensors[node.outputs[0]].shape,
                weights=sum(t.count for t in tensors),
                trained=sum(t.count for t in tensors if t.role is Role.PARAM),
                forward_macs=sum(macs[s.index] for s in own if s.node.phase is Phase.FORWARD),
                backward_macs=sum(macs[s.index] for s in own if s.node.phase is Phase.BACKWARD),
                kernels=tuple(plan.chosen[s.index].name for s in own),
                shared=sum(t.count for t in again),
                shared_trained=sum(t.count for t in again if t.role is Role.PARAM),
                insn=None if insn is None else round(insn),
            )
        )
    return rows


def cut_figures(cut: Cut) -> dict[str, Any]:
    """What the int8 prefix costs and saves."""
    keys = ("loss", "accuracy", "samples")
    scores = {name: {k: _plain(getattr(s, k)) for k in keys} for name, s in (("int8", cut.int8), ("f32", cut.f32))}
    sizes = {
        name: dict(zip(("int8", "f32"), pair, strict=True)) for name, pair in (("ram", cut.ram), ("flash", cut.flash))
    }
    snr = {name: _plain(value) for name, value in cut.snr.items()}
    return {"layers": cut.layers, "frozen_layers": cut.frozen, "snr_db": snr, **scores, **sizes}


def saving_figures(plan: Plan) -> dict[str, Any] | None:
    """How weights are saved; None where they are not."""
    saving = plan.saving
    if saving is None:
        return None
    return {
        "bytes": saving.record,
        "slots": saving.slots,
        "slot_bytes": saving.slot_pages * saving.store.page,
        "store_bytes": saving.store.size,
        "in": saving.store.kind,
        "volatile": saving.store.volatile,
        "keeps_best": saving.keeps_best,
        "replay": saving.replay,
        "every": saving.every,
        "endurance": saving.store.endurance,
        "saves": saving.saves,
        "steps": saving.steps,
    }


def saving_words(plan: Plan) -> str:
    """The same as a sentence; empty where nothing is saved."""
    saving = plan.saving
    if saving is None:
        return ""
    where = "flash" if saving.store.kind == "flash" else "RAM that stands in for flash"
    best = "with" if saving.keeps_best else "without"
    text = (
        f"saves {saving.record:,} bytes every {saving.every:,} updates in {where}, {saving.slots} slots of"
        f" {saving.slot_pages * saving.store.page:,} bytes, {best} the best so far: {saving.saves:,} saves or"
        f" {saving.steps:,} updates until a page was erased {saving.store.endurance:,} times"
    )
    if plan.replay_used and not saving.replay:
        text += f"; the {plan.config.replay} latents do not fit and are not saved"
    return text


def plan_figures(plan: Plan, cut: Cut | None = None) -> dict[str, Any]:
    """Everything that `edgelearn plan` says, for `--json`; `cut` is what its int8 prefix was found to cost."""
    peak = peak_step(plan)
    return {
        "model": plan.graph.name,
        "board": plan.board.id,
        "plan": plan.hash,
        "method": plan.config.method,
        "train": plan.config.train,
        "approximate_derivatives": plan.approximated(),
        "optimizer": plan.config.rule,
        "batch": plan.config.batch,
        "loss": plan.graph.meta["loss"],
        "samples": plan.samples,
        "precision": precision_figures(plan),
        "shift_latents": latent_figures(plan),
        "weights": plan.weights,
        "trained_weights": sum(t.count for t, _ in plan.params.tensors),
        "ram": {
            "total": plan.ram,
            "limit": plan.limits.ram,
            "weights": plan.params.nbytes,
            "state": plan.state.nbytes,
            "shift_latents": plan.shift_latents,
            "arena": plan.arena_bytes,
            "store": plan.store_bytes,
            "replay": plan.replay_bytes,
            "runtime": plan.board.runtime_ram,
            "stack": plan.board.stack,
            "memories": {name: {"used": used, "size": size} for name, (used, size) in plan.regions.items()},
        },
        "flash": {
            "weights": plan.model_flash,
            "limit": plan.limits.flash,
            "trained": plan.params.nbytes,
            "frozen": plan.consts.nbytes,
            "samples": plan.set_used,
        },
        "saving": saving_figures(plan),
        "arena": {
            "bytes": plan.arena.nbytes,
            "lower_bound": plan.arena.lower_bound,
            "order_is_optimal": plan.schedule.exact,
            "recomputed": list(plan.graph.meta["dropped"]),
            "held_gradients": list(plan.graph.meta["held"]),
            "peaks": [asdict(p) for p in peaks(plan)],
            "fullest_step": peak.index,
            "fullest_step_name": peak.node.name,
            "buffers": [
                {
                    "name": s.buffer.name,
                    "tensors": list(s.buffer.tensors),
                    "offset": s.offset,
                    "bytes": s.size,
                    "first_step": s.buffer.first,
                    "last_step": s.buffer.last,
                }
                for s in plan.arena.slots
            ],
        },
        "macs": {"forward": plan.macs(Phase.FORWARD), "training": plan.training_macs},
        "insn": insn_figures(plan),
        "layers": [asdict(layer) for layer in layers(plan)],
        "int8_prefix": cut_figures(cut) if cut else None,
        "steps": [
            {
                "index": s.index,
                "name": s.node.name,
                "program": s.program.value,
                "kernel": k.name,
                "insn": _whole(plan.insn(s.index)),
            }
            for s, k in zip(plan.schedule.steps, plan.chosen, strict=True)
        ],
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def insn_figures(plan: Plan) -> dict[str, Any] | None:
    """Predicted instructions of a training sample, what they leave out, and the steps whose kernels are not those that
    take least; None where the board has no costs.
    """
    total = plan.training_insn
    if total is None:
        return None
    return {"training": round(total), "without_steps": plan.unpredicted, "less_scratch": list(plan.spared)}


def precision_figures(plan: Plan) -> dict[str, Any]:
    """What is half precision: bytes of weights and activations in each format, and what computes it."""
    tensors = [t for t, _ in (*plan.params.tensors, *plan.consts.tensors)]
    tensors += [plan.graph.tensors[n] for slot in plan.arena.slots for n in slot.buffer.tensors]
    sizes = {fmt.name: sum(t.nbytes for t in tensors if t.format is fmt) for fmt in (F32, F16)}
    isas = {k.isa for s, k in zip(plan.schedule.steps, plan.chosen, strict=True) if s.node.op in _PRODUCTS}
    saves_time = not isas <= set(kernels.IN_FLOATS)
    return {
        "name": plan.config.precision,
        "bytes": sizes,
        "saves_time": saves_time,
        "ram": plan.ram,
        "ram_in_float32": None if saves_time else _ram_in_floats(plan),
        "rounding": plan.config.rounding if plan.config.precision == "fp16" else None,
        "loss_scale": plan.config.loss_scale if is_scaled(plan.graph) else None,
    }


def _ram_in_floats(plan: Plan) -> int:
    """What the same training takes in float32; memory is all that half precision is for where floats compute."""
    if plan.config.precision == "fp32":
        return plan.ram
    # What saving and a sensor keep is in this board's figures already.
    config = plan.config.with_changes(precision="fp32", save_every=0, standardise=False)
    return make_plan(plan.imported, config, plan.board).ram


def precision_words(plan: Plan) -> str:
    """A sentence on half precision for people."""
    figures = precision_figures(plan)
    weights = "weights in float32" if figures["name"] == "mixed" else f"weights rounded, {figures['rounding']}"
    text = f"{figures['name']}: {weights}, loss scale {figures['loss_scale']:,.0f} at first"
    if not figures["saves_time"]:
        ram, floats = figures["ram"], figures["ram_in_float32"]
        saved = "saves memory here, not time" if ram < floats else "saves neither time nor memory here"
        text += f"; {plan.board.cpu} computes in float32: half precision {saved}, {ram:,} bytes of RAM"
        text += f" instead of {floats:,}" if ram < floats else f" where float32 takes {floats:,}"
    return text


def product_words(plan: Plan) -> str:
    """A sentence on products that are additions."""
    text = f"multiplies with {plan.config.multiply}: bit patterns are added, docs/PAM.md"
    if "fix" not in plan.board.kernels:  # which is for cores without an FPU
        text += "; this core has an FPU, for which products of floats are less work"
    return text


def latent_figures(plan: Plan) -> dict[str, Any]:
    """The layers that shift and train, by the latents of their weights: bits, and floats a weight."""
    own = latents_of(plan.graph)
    nodes = [node for node in plan.graph.nodes if node.phase is Phase.FORWARD and set(node.inputs) & own.keys()]
    rows = [(node.name, own[next(name for name in node.inputs if name in own)].bits) for node in nodes]
    return {name: {"bits": bits, "latents": latent_count(bits)} for name, bits in rows}


def latents_words(plan: Plan) -> str:
    """The same as a sentence."""
    each = {f["latents"]: f["bits"] for f in latent_figures(plan).values()}
    floats = ", ".join(f"{latents} floats a weight of {bits} bits" for latents, bits in sorted(each.items()))
    return f"stay shifts, and train by latents: {', '.join(latent_figures(plan))}; {floats}"


def image_figures(image: Image) -> dict[str, Any]:
    """Sizes that the linker placed."""
    return {
        "board": image.board.id,
        "carrier": image.carrier,
        "compiler": image.compiler,
        "ram": {**asdict(image.ram), "total": image.ram.total},
        "flash": {**asdict(image.flash), "total": image.flash.total},
    }


def _plain(value: Any) -> Any:
    """A number that JSON has: not finite becomes None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def run_figures(
    plan: Plan, image: Image, outcome: Outcome, exported: FileScore | None = None, cut: Cut | None = None
) -> dict[str, Any]:
    """Everything that a run came to; `exported` is what the file that it wrote is worth in its own runtime, `cut` what
    its int8 prefix costs.
    """
    score = {
        when: {k: _plain(v) for k, v in asdict(s).items()} if s else None
        for when, s in (("before", outcome.before), ("after", outcome.after))
    }
    return {
        "model": plan.graph.name,
        "board": plan.board.id,
        "carrier": image.carrier,
        "plan": plan.hash,
        "edgelearn": __version__,
        **score,
        "exported": {k: _plain(v) for k, v in asdict(exported).items()} if exported else None,
        "int8_prefix": cut_figures(cut) if cut else None,
        "steps": outcome.steps,
        "samples": outcome.samples,
        "seconds": round(outcome.seconds, 3),
        f"{plan.board.unit}_per_sample": outcome.spent_per_sample,
        "insn_predicted": _whole(plan.training_insn),
        "ram": image_figures(image)["ram"] if image.board.bare else {"total": plan.ram},
        "flash": image_figures(image)["flash"],
        "stack_used": outcome.stack_used,
        "loss_error": _plain(outcome.loss_error),
        "output_error": _plain(outcome.output_error),
        "link": outcome.link,
        "precision": plan.config.precision,
        "loss_scale": outcome.loss_scale,
        "skipped_updates": outcome.skipped,
        "stopped": outcome.stopped or None,
    }
