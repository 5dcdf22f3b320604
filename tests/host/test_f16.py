"""Halves in C: every one of them into a float, and floats around all of them back, with and without hardware."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest

from tests.support.clib import FLAGS

SOURCE = """
#include "el/f16.h"
void to_halves(int n, const float *x, uint16_t *y);
void from_halves(int n, const uint16_t *x, float *y);
void store(int n, const float *x, el_f16 *y);
void load(int n, const el_f16 *x, float *y, uint8_t *finite);
void at_random(int n, const float *x, const uint32_t *random, uint16_t *y);
void to_halves(int n, const float *x, uint16_t *y)
{
    for (int i = 0; i < n; i++) {
        y[i] = el_to_half(x[i]);
    }
}
void from_halves(int n, const uint16_t *x, float *y)
{
    for (int i = 0; i < n; i++) {
        y[i] = el_from_half(x[i]);
    }
}
void store(int n, const float *x, el_f16 *y)
{
    for (int i = 0; i < n; i++) {
        el_f16_store(y + i, x[i]);
    }
}
void load(int n, const el_f16 *x, float *y, uint8_t *finite)
{
    for (int i = 0; i < n; i++) {
        y[i] = el_f16_load(x + i);
        finite[i] = (uint8_t)el_f16_is_finite(x + i);
    }
}
void at_random(int n, const float *x, const uint32_t *random, uint16_t *y)
{
    for (int i = 0; i < n; i++) {
        y[i] = el_to_half_at_random(x[i], random[i]);
    }
}
"""
HALVES = np.arange(65536, dtype=np.uint16)
# In software, and with the processor's own conversions where it has some.
WAYS = {"software": (), "native": ("-march=native",)}


@pytest.fixture(scope="module", params=WAYS)
def lib(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("f16")
    (folder / "f16.c").write_text(SOURCE)
    out = folder / "f16.so"
    subprocess.run(["gcc", *FLAGS, *WAYS[request.param], "-shared", str(folder / "f16.c"), "-o", str(out)], check=True)
    return ctypes.CDLL(str(out))


def _floats() -> np.ndarray:
    """All halves, the floats around the middle of two, a million others, and the edges of the range."""
    halves = HALVES.view(np.float16).astype(np.float32)
    finite = np.sort(halves[np.isfinite(halves)])
    middle = (finite[1:] + finite[:-1]) / 2
    near = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, np.inf)]
    other = np.random.default_rng(0).integers(0, 1 << 32, 1_000_000, dtype=np.uint32).view(np.float32)
    edges = np.array([65504, 65519.996, 65520, 65536, 1e38, np.inf, -np.inf, 0.0, -0.0, 6e-8, 2.9e-8], np.float32)
    return np.concatenate([halves, middle, *near, other, edges]).astype(np.float32)


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.mark.parametrize("function", ["to_halves", "store"])
def test_every_float_becomes_the_half_that_numpy_makes(lib: ctypes.CDLL, function: str) -> None:
    x = _floats()
    y = np.zeros(len(x), np.uint16)
    getattr(lib, function)(len(x), _at(x), _at(y))
    with np.errstate(over="ignore"):
        truth = x.astype(np.float16)
    numbers = ~np.isnan(x)
    np.testing.assert_array_equal(y[numbers], truth.view(np.uint16)[numbers])
    assert np.isnan(y[~numbers].view(np.float16)).all()


def test_every_half_becomes_the_float_that_it_is(lib: ctypes.CDLL) -> None:
    truth = HALVES.view(np.float16).astype(np.float32)
    numbers = ~np.isnan(truth)
    plain, loaded, finite = np.zeros(65536, np.float32), np.zeros(65536, np.float32), np.zeros(65536, np.uint8)
    lib.from_halves(65536, _at(HALVES), _at(plain))
    lib.load(65536, _at(HALVES), _at(loaded), _at(finite))
    for y in (plain, loaded):
        np.testing.assert_array_equal(y[numbers].view(np.uint32), truth[numbers].view(np.uint32))
        assert np.isnan(y[~numbers]).all()
    np.testing.assert_array_equal(finite, np.isfinite(truth))


def test_rounding_at_random_takes_a_neighbour_and_is_right_on_average(lib: ctypes.CDLL) -> None:
    """Normal and subnormal values, exact ones, and both ends of the range; a NaN stays one."""
    values = np.float32([0.1, -3.3e-3, 1234.567, 6.1e-5, 5.9e-5, -2.2e-7, 1e-9, 0.5, -0.0, 65000.1])
    count = 20_000
    x, y = np.repeat(values, count), np.zeros(len(values) * count, np.uint16)
    random = np.random.default_rng(1).integers(0, 1 << 32, len(x), dtype=np.uint32)
    lib.at_random(len(x), _at(x), _at(random), _at(y))
    got = y.view(np.float16).astype(np.float64).reshape(len(values), count)
    for value, halves in zip(values.astype(np.float64), got, strict=True):
        near = np.float16(value)
        step = float(np.spacing(np.abs(near)))
        assert np.abs(halves - value).max() < step
        # Five standard deviations of the mean of a coin.
        assert abs(halves.mean() - value) <= 5 * step * 0.5 / np.sqrt(count), value
    edges = np.float32([65504, 65520, -1e9, np.inf, np.nan])
    out = np.zeros(5, np.uint16)
    lib.at_random(5, _at(edges), _at(np.full(5, 0xFFFFFFFF, np.uint32)), _at(out))
    np.testing.assert_array_equal(out.view(np.float16)[:4], np.float16([65504, np.inf, -np.inf, np.inf]))
    assert np.isnan(out.view(np.float16)[4])
