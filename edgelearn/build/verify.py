"""Holds an image to its plan: the bytes that were predicted are the bytes that the linker placed."""

from __future__ import annotations

from edgelearn.build.image import Image
from edgelearn.errors import InputError, InternalError
from edgelearn.plan import Plan


def verify_image(plan: Plan, image: Image) -> None:
    """InternalError if a predicted size differs from the image's; InputError if code and weights exceed the flash."""
    pairs = {
        "trained weights (RAM)": (plan.params.nbytes, image.ram.params),
        "optimizer state (RAM)": (plan.state.nbytes, image.ram.state),
        "arena (RAM)": (plan.arena_bytes, image.ram.arena),
        "runtime (RAM)": (plan.board.runtime_ram, image.ram.runtime),
        "weights (flash)": (plan.model_flash, image.flash.consts),
    }
    if plan.board.emulated:
        pairs["stack (RAM)"] = (plan.board.stack, image.ram.stack)
    wrong = [
        f"{name}: planned {planned:,} bytes, linked {linked:,}"
        for name, (planned, linked) in pairs.items()
        if planned != linked
    ]
    if wrong:
        raise InternalError(
            "the linker placed other sizes than the plan", where=str(image.elf), details=tuple(wrong),
            hint="another compiler version can change the runtime's size; please report this",
        )  # fmt: skip
    if image.flash.total > plan.limits.flash:
        raise InputError(
            f"flash is {image.flash.total - plan.limits.flash:,} bytes over",
            where=plan.board.id,
            details=(
                f"code {image.flash.code:,} + weights {image.flash.consts:,} + rest {image.flash.rest:,}"
                f" = {image.flash.total:,} bytes, {plan.limits.flash:,} are there",
            ),
        )
