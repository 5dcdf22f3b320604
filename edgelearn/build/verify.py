"""Holds an image to its plan: the bytes that were predicted are the bytes that the linker placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgelearn.build.image import Image
from edgelearn.errors import InputError, InternalError
from edgelearn.plan import Plan


def verify_image(plan: Plan, image: Image) -> tuple[str, ...]:
    """Compare every predicted size with the linker's.

    InternalError if one of the model's arrays differs: the plan would be a guess. InputError if the image exceeds the
    limits. The runtime's own variables may differ by a few bytes under a compiler that the board's `runtime_ram` was
    not recorded with; that comes back as a sentence, empty where all is equal.
    """
    pairs = {
        "trained weights (RAM)": (plan.params.nbytes, image.ram.params),
        "optimizer state (RAM)": (plan.state.nbytes, image.ram.state),
        "arena (RAM)": (plan.arena_bytes, image.ram.arena),
        "kept samples (RAM)": (plan.store_bytes, image.ram.store),
        "kept latents (RAM)": (plan.replay_bytes, image.ram.replay),
        "weights (flash)": (plan.model_flash, image.flash.consts),
    }
    if plan.board.bare:
        pairs["stack (RAM)"] = (plan.board.stack, image.ram.stack)
    if wrong := _wrong(pairs):
        raise InternalError("the linker placed other sizes than the plan", where=str(image.elf), details=wrong)
    _check_limits(plan, image)
    drift = image.ram.runtime - plan.board.runtime_ram
    if not drift:
        return ()
    return (f"with {image.compiler} the runtime takes {image.ram.runtime:,} bytes of RAM, {drift:+,} on the plan",)


def verify_figures(figures: Mapping[str, Any], image: Image) -> None:
    """Hold an image to the figures of a plan that a build has left; InputError if it is another program."""
    ram = figures["ram"]
    pairs = {
        "trained weights (RAM)": (ram["weights"], image.ram.params),
        "optimizer state (RAM)": (ram["state"], image.ram.state),
        "arena (RAM)": (ram["arena"], image.ram.arena),
        "kept samples (RAM)": (ram["store"], image.ram.store),
        "kept latents (RAM)": (ram["replay"], image.ram.replay),
        "weights (flash)": (figures["flash"]["weights"], image.flash.consts),
    }
    if wrong := _wrong(pairs):
        raise InputError(
            "the program in this project is not that of its plan",
            where=str(image.elf),
            details=wrong,
            hint="edgelearn build writes both anew",
        )


def _wrong(pairs: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(
        f"{name}: planned {planned:,} bytes, linked {linked:,}"
        for name, (planned, linked) in pairs.items()
        if planned != linked
    )


def _check_limits(plan: Plan, image: Image) -> None:
    # A memory that overflows does not link; the sum may still be above what the user allowed.
    used = {"flash": (image.flash.total, plan.limits.flash), "RAM": (image.ram.total, plan.limits.ram)}
    over = [
        f"{name}: the image needs {have:,} bytes, {limit:,} are there: {have - limit:,} bytes over"
        for name, (have, limit) in used.items()
        if have > limit
    ]
    if over:
        details = (
            *over,
            f"flash holds code {image.flash.code:,} + weights {image.flash.consts:,} + rest {image.flash.rest:,} bytes",
        )
        raise InputError(f"the image does not fit {plan.board.id}", where=plan.graph.name, details=details)
