"""Whether a plan fits its board, and what to change where it does not."""

from __future__ import annotations

from collections.abc import Callable

from edgelearn.boards import Board
from edgelearn.boards import available as available_boards
from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.errors import EdgelearnError, InputError
from edgelearn.graph import Graph
from edgelearn.plan.base import BLOCK, Limits, Plan, peak_step
from edgelearn.plan.make import make_plan


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
    floats: dict[str, object] = {"shift_latents": ""} if config.shift_latents else {}
    thrifty = {"optimizer": "sgd", "momentum": 0.0, "batch": 1, "clip_norm": 0.0, **nothing_kept}
    empty = "".join(f" --{name} 0" for name in nothing_kept)
    plain = f"--batch 1 --optimizer sgd --momentum 0{empty}"
    tries: list[tuple[str, dict[str, object]]] = [
        *_fewer_latents(plan),
        *([(empty.strip(), nothing_kept)] if empty else []),
        *([(f'--shift-latents ""{empty}', {**floats, **nothing_kept})] if floats else []),
        (f"--recompute 0.3{empty}", {"recompute": 0.3, **nothing_kept}),
        (f"--fold-norms{empty}", {"fold_norms": True, **nothing_kept}),
        (plain, thrifty),
        (f"{plain} --fold-norms", {**thrifty, "fold_norms": True}),
    ]
    if config.method != "last":
        head = {"train": "last", "blocks": 0, **floats}
        flags = "--train last --blocks 0" if config.blocks else "--train last"
        flags += ' --shift-latents ""' if floats else ""
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
