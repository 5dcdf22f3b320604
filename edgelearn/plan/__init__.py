"""The plan: every byte of RAM and flash, every kernel, before anything is compiled."""

from edgelearn.plan.base import BLOCK, SAMPLE_BYTES, Block, Limits, Plan, peak_step, slot_size
from edgelearn.plan.fit import check_fit, compile_model
from edgelearn.plan.make import make_plan

__all__ = [
    "BLOCK",
    "SAMPLE_BYTES",
    "Block",
    "Limits",
    "Plan",
    "check_fit",
    "compile_model",
    "make_plan",
    "peak_step",
    "slot_size",
]
