"""The accuracy that el/math.h states, measured against float64, with and without fused multiply-add."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgelearn.ops.gated import normal
from tools.bench import probe

FUSED = ("-mfma", "-ffp-contract=fast")
SEPARATE = ("-ffp-contract=off",)
FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "cos", "sqrt", "sqrt_soft", "log1p", "normal")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def _sweep(low: float, high: float, n: int = 400_000) -> np.ndarray:
    """n floats spread evenly over the bit patterns of both signs between two magnitudes."""
    bits = np.linspace(*(np.float32([low, high]).view(np.uint32).astype(np.float64)), n).astype(np.uint32)
    x = bits.view(np.float32)
    return np.concatenate([x, -x])


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    folder = tmp_path_factory.mktemp("math")
    built = {}
    for k, flags in enumerate((FUSED, SEPARATE)):
        if flags is FUSED and " fma " not in _cpu_flags():
            continue
        output = folder / f"math{k}"
        source = Path(__file__).with_name("math_functions.c")
        include = f"-I{probe.FIRMWARE}/include"
        strict = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
        probe.run_tool(["gcc", *strict, *flags, include, source, "-o", output], "math")
        built[flags] = output
    return built


@cache
def _cpu_flags() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() + " " if path.exists() else ""


def _call(program: Path, name: str, x: np.ndarray) -> np.ndarray:
    request = np.empty((len(x), 2), np.uint32)
    request[:, 0] = FUNCTIONS.index(name)
    request[:, 1] = x.astype(np.float32).view(np.uint32)
    done = subprocess.run([program], input=request.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32)


def _ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Error in units of the last place of the float32 next to the truth."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = want.astype(np.float32)
        step = np.spacing(np.minimum(np.abs(near), np.float32(3e38))).astype(np.float64)
        error = np.abs(got.astype(np.float64) - want) / step
    return np.where(got == near, np.minimum(np.nan_to_num(error), 0.5), error)


CASES = {
    "exp": (np.exp, 1.5, [(1e-30, 1.0), (1.0, 110.0)]),
    "log": (lambda x: np.log(np.abs(x)), 1.0, [(1e-45, 3e38), (0.5, 2.0)]),
    "tanh": (np.tanh, 2.5, [(1e-40, 0.1), (0.1, 20.0)]),
    "sigmoid": (_sigmoid, 2.5, [(1e-30, 1.0), (1.0, 110.0)]),
    "cos": (np.cos, 3.0, [(1e-30, 1.0), (0.5, 100.0), (100.0, 3e38)]),
    "sqrt": (lambda x: np.sqrt(np.abs(x)), 0.500001, [(1e-45, 3e38), (0.5, 4.0)]),
    "sqrt_soft": (lambda x: np.sqrt(np.abs(x)), 0.500001, [(1e-45, 3e38), (0.5, 4.0)]),
    "log1p": (lambda x: np.log1p(np.abs(x)), 3.0, [(1e-40, 1e-6), (1e-6, 1.0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_within_its_bound(programs: dict[tuple[str, ...], Path], name: str) -> None:
    truth, bound, ranges = CASES[name]
    x = np.concatenate([_sweep(low, high) for low, high in ranges])
    if name in ("log", "log1p", "sqrt", "sqrt_soft"):
        x = np.abs(x)
    with np.errstate(all="ignore"):
        want = truth(x.astype(np.float64))
    for flags, program in programs.items():
        errors = _ulps(_call(program, name, x), want)
        worst = int(np.argmax(errors))
        assert errors[worst] <= bound, f"{name} {flags}: {errors[worst]:.3f} ulp at {x[worst]!r}"


def test_normal_within_its_bounds(programs: dict[tuple[str, ...], Path]) -> None:
    x = np.concatenate([_sweep(low, high, 20_000) for low, high in ((1e-20, 1.0), (1.0, 12.0))])
    want = normal(x.astype(np.float64))
    for program in programs.values():
        error = np.abs(_call(program, "normal", x) - want)
        assert error.max() <= 2e-7
        assert (error / want).max() <= 1e-5


def test_special_values(programs: dict[tuple[str, ...], Path]) -> None:
    x = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 88.8, -200, 1e-45, -1.0])
    want = {
        "exp": [1, 1, np.inf, 0, np.nan, np.nan, np.inf, 0, 1, np.exp(-1)],
        "log": [-np.inf, -np.inf, np.inf, np.nan, np.nan, np.nan, np.log(88.8), np.nan, -103.27893, np.nan],
        "tanh": [0, -0.0, 1, -1, np.nan, np.nan, 1, -1, 1e-45, np.tanh(-1)],
        "sigmoid": [0.5, 0.5, 1, 0, np.nan, np.nan, 1, 0, 0.5, _sigmoid(np.array(-1.0))],
        "cos": [1, 1, np.nan, np.nan, np.nan, np.nan, np.cos(np.float32(88.8)), np.cos(200), 1, np.cos(1)],
        "normal": [0.5, 0.5, 1, 0, np.nan, np.nan, 1, 0, 0.5, normal(np.array(-1.0))],
        "sqrt": [0, -0.0, np.inf, np.nan, np.nan, np.nan, np.sqrt(88.8), np.nan, 3.743392e-23, np.nan],
    }
    want["sqrt_soft"] = want["sqrt"]
    for program in programs.values():
        for name, values in want.items():
            np.testing.assert_allclose(_call(program, name, x), np.float32(values), rtol=3e-7, err_msg=name)


def test_soft_square_root_is_the_instruction(programs: dict[tuple[str, ...], Path]) -> None:
    x = np.random.default_rng(0).integers(0, 0x7F800000, 500_000).astype(np.uint32).view(np.float32)
    for program in programs.values():
        np.testing.assert_array_equal(_call(program, "sqrt", x), _call(program, "sqrt_soft", x))
