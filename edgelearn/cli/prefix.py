"""What an int8 prefix costs and saves, as lines for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelearn.cli.output import table, wrap

if TYPE_CHECKING:
    from edgelearn.cut import Cut
    from edgelearn.plan import Plan


def prefix_lines(plan: Plan, cut: Cut) -> list[str]:
    """Layers, accuracy and loss on held-out samples, bytes, and how well activations survive."""
    rows = [
        (key, *(f"{getattr(score, key):{form}}" for score in (cut.f32, cut.int8)))
        for key, form in (("accuracy", ".3f"), ("loss", ".4f"))
        if getattr(cut.f32, key) is not None
    ]
    sizes = (("bytes of RAM", cut.ram), ("bytes of flash, without code", cut.flash))
    rows += [(key, *(f"{n:,}" for n in reversed(pair))) for key, pair in sizes]
    handed = ", ".join(f"{name} {value:.1f} dB" for name, value in cut.snr.items())
    head = f"int8 prefix: {cut.layers} of {cut.frozen} frozen layers, ranges by {plan.config.calibrate}"
    return [
        *wrap(head),
        *table((f"on {cut.int8.samples:,} held-out samples", "float32", "int8 prefix"), rows, right=(1, 2)),
        *wrap(f"signal to noise where training begins: {handed}"),
    ]
