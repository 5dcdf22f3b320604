"""A call of any kernel out of its C signature: what each parameter is follows from its type and name."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from edgelearn.kernels import Kernel, Sizes
from edgelearn.ops.optimizers import Optim
from tools.bench.counting import run_tool
from tools.bench.probe import FIRMWARE

STRUCTS = ("el_pad*", "el_transpose*", "el_add_s8*", "el_mul_s8*")
NEEDS_TABLES = "exps"  # an operand that can't be drawn
INTEGERS = {"x_zero": -3, "y_zero": 4, "min": -128, "max": 127, "multiplier": 1 << 30, "shift": -8, "bits": 4, "k": 5}
FLOATS = {"max": np.inf, "slope": 0.0, "low": -1.0, "high": 1.0, "epsilon": 1e-5}
OPTIM = Optim(lr=0.01, momentum=0.9, epsilon=1e-8, bias1=0.5, bias2=0.1)
OF_CHANNELS = ("gamma", "beta", "mean", "inv_std", "b", "db", "dgamma", "dbeta", "slope", "dslope")
DTYPES = {"float": np.float32, "el_f16": np.float16, "int8_t": np.int8, "uint8_t": np.uint8, "int32_t": np.int32,
          "uint32_t": np.uint32}  # fmt: skip


def parameters(compiler: str) -> dict[str, list[tuple[str, str]]]:
    """(type, name) of every parameter of every kernel, without scratch, as a compiler preprocesses the header."""
    header = FIRMWARE / "include/el/kernels.h"
    text = run_tool([compiler, "-E", "-P", "-ffreestanding", f"-I{FIRMWARE}/include", header], "preprocessing")
    found = {}
    for name, inside in re.findall(r"void (el_\w+)\(([^)]*)\);", text):
        pairs = [re.fullmatch(r"(?:const )?(\w+)\s*(\*?)\s*(\w+)", p.strip()) for p in inside.split(",")]
        found[name] = [(m[1] + m[2], m[3]) for m in pairs if m and m[3] != "scratch"]
    return found


def shape_names(types: list[tuple[str, str]]) -> tuple[str, ...]:
    """The shape arguments that a signature begins with; ("s",) for a window, ("?",) where it can't be called so."""
    if types[0][0] in STRUCTS or NEEDS_TABLES in (name for _, name in types):
        return ("?",)
    if types[0][0] == "el_window*":
        return ("s",)
    names = []
    for kind, name in types:
        if kind != "int32_t" or name in INTEGERS:
            break
        names.append(name)
    return tuple(names)


def _length(name: str, step: str, s: Sizes) -> int:
    """Elements of an array, at least."""
    if "k_h" in s:
        taps = s["k_h"] * s["k_w"] * s["out_c"]
        lengths = {"x": s["in_h"] * s["in_w"] * s["in_c"], "y": s["out_h"] * s["out_w"] * s["out_c"],
                   "w": taps * (s["in_c"] // s["groups"] if step.startswith("conv2d") else 1)}  # fmt: skip
        lengths["winner"] = lengths["y"]
        return lengths.get(name.removeprefix("d"), s["out_c"])
    if "in" in s:
        return {"x": s["in"], "w": s["in"] * s["out"]}.get(name.removeprefix("d"), s["out"])
    if "rows" in s:
        return s["channels"] if name in OF_CHANNELS else s["rows"] * s["channels"]
    return 256 if name == "table" else max(4, *s.values(), 4)


def _array(kind: str, name: str, length: int, rng: np.random.Generator, s: Sizes) -> np.ndarray:
    dtype = DTYPES[kind]
    if name in INTEGERS:
        return np.full(length, INTEGERS[name], dtype)
    if dtype in (np.float32, np.float16):
        values = rng.normal(size=length)
        return (np.abs(values) if name in ("v", "acc", "inv_std") else values).astype(dtype)
    if kind == "uint8_t":  # a mask, of which half of the elements pass; or the place in a window
        return rng.integers(0, s["k_h"] * s["k_w"] if name == "winner" else 256, length).astype(dtype)
    return rng.integers(-100, 100, length).astype(dtype) if kind != "uint32_t" else np.zeros(length, dtype)


def arguments(types: list[tuple[str, str]], kernel: Kernel, step: str, s: Sizes) -> list[Any]:
    """Arguments in the order of the signature, without scratch; the same ones for the same shape."""
    rng, found = np.random.default_rng(len(types)), list[Any]()
    for kind, name in types:
        if kind == "el_window*":
            found.append(dict(s))
        elif kind == "el_optim*":
            found.append(np.array(list(vars(OPTIM).values()), np.float32))
        elif kind.endswith("*"):
            found.append(_array(kind[:-1], name, _length(name, step, s), rng, s))
        elif kind == "float":
            found.append(FLOATS.get(name, 0.5))
        else:
            found.append(s[name] if name in s else INTEGERS.get(name, 1))
    return found
