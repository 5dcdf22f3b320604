"""What a row of the table of kernels says, and the shorthand that the tables are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Sizes = Mapping[str, int]

REF = "ref"
PORTABLE = (REF, "blk", "fix")  # what any C compiler can build, for any board
RULES = ("sgd", "momentum", "adam", "adamw")  # that weights are updated by
FLOAT = 4  # bytes of an f32


def no_scratch(s: Sizes) -> int:
    """For kernels whose signature has no scratch."""
    return 0


def _any(s: Sizes) -> bool:
    return True


def single(s: Sizes) -> bool:
    """Depthwise with one output channel for each of the input's."""
    return s["in_c"] == s["out_c"]


def one_window(s: Sizes) -> bool:
    """A pool whose only window is the whole map."""
    whole = (s["k_h"], s["k_w"], s["pad_top"], s["pad_left"]) == (s["in_h"], s["in_w"], 0, 0)
    return s["out_h"] * s["out_w"] == 1 and whole


@dataclass(frozen=True)
class Kernel:
    """A kernel for one shape: its C symbol, the file under firmware/ and its scratch in bytes.

    A kernel that wants scratch does so for every shape, and its signature ends in `void *scratch`.
    """

    name: str
    isa: str
    source: str
    scratch: int
    halves: bool = False  # sums of products are rounded to halves for short blocks


def has_pitch(s: Sizes) -> bool:
    """Whether a window computes some channels of its maps only."""
    return any(s[f"{side}_pitch"] != s[f"{side}_c"] for side in ("in", "out") if f"{side}_pitch" in s)


@dataclass(frozen=True)
class Entry:
    """One row of the table: an implementation of one step; `pitched` if windows may have wider pitches than maps,
    `halves` if sums of products are rounded to halves for short blocks before they go into floats.
    """

    step: str
    isa: str
    source: str
    scratch: Callable[[Sizes], int] = no_scratch
    supports: Callable[[Sizes], bool] = _any
    fmt: str = "f32"
    pitched: bool = False
    halves: bool = False

    def takes(self, s: Sizes) -> bool:
        """Whether this implementation can compute a call of one shape, which may be some channels of a map."""
        return (self.pitched or not has_pitch(s)) and self.supports(s)

    @property
    def symbol(self) -> str:
        """The C function."""
        return f"el_{self.step}_{self.fmt}__{self.isa}"

    def bind(self, s: Sizes) -> Kernel:
        """The kernel for one shape."""
        return Kernel(self.symbol, self.isa, self.source, self.scratch(s), self.halves)


def rows(
    isa: str, file: str, *steps: str, fmt: str = "f32", supports: Callable[[Sizes], bool] = _any, pitched: bool = False
) -> Iterable[Entry]:
    """A row for each step that one file below kernels/<isa>/ defines, without scratch."""
    return (Entry(step, isa, f"kernels/{isa}/{file}", supports=supports, fmt=fmt, pitched=pitched) for step in steps)


def _states(count: int) -> Callable[[Sizes], int]:
    """Rows as long as a recurrent layer's state."""
    return lambda s: count * s["hidden"] * FLOAT


# How many rows the steps of recurrent layers want.
_RECURRENT = {"rnn_bwd": 1, "lstm_fwd": 5, "lstm_bwd": 2, "gru_fwd": 4, "gru_bwd": 5}


def recurrent(isa: str, *steps: str) -> Iterable[Entry]:
    """The steps of recurrent layers that every instruction set with recurrent.c has, and `steps`."""
    source = f"kernels/{isa}/recurrent.c"
    yield from (Entry(step, isa, source, _states(count)) for step, count in _RECURRENT.items())
    yield from (Entry(step, isa, source) for step in ("rnn_fwd", "gru_bwd_w", "recurrent_bwd_w", *steps))
