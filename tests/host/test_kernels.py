"""Every kernel against the numpy truth on this computer, under AddressSanitizer and UBSan and with each compiler."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelearn import kernels
from edgelearn.build.compile import SANITIZE
from tests.support.kernel_cases import WINDOWS, all_cases
from tests.support.run_kernels import calls_of, check_all
from tools.bench import probe


def test_sanitized() -> None:
    assert check_all("host", SANITIZE) > 300


def test_clang_optimised() -> None:
    check_all("host", ("-O3",), "clang")


ISAS = tuple({entry.isa for entry in kernels.TABLE})


def test_scratch_is_in_the_signature_exactly_where_the_table_says() -> None:
    types_of = probe.signatures("cc", ISAS)
    for entry in kernels.TABLE:
        assert (types_of[entry.symbol][-1] == "void *") == (entry.scratch is not kernels.no_scratch), entry.symbol


def test_every_kernel_has_a_case() -> None:
    assert {entry.symbol for _, entry in calls_of(all_cases(), ISAS)} == {entry.symbol for entry in kernels.TABLE}


@pytest.mark.parametrize("name", WINDOWS)
def test_convolution_equals_torch(name: str) -> None:
    """An independent truth: torch's own convolution and autograd in float64."""
    h, w, c, co, kernel, stride, (top, left, bottom, right), groups = WINDOWS[name]
    rng = np.random.default_rng(3)
    x = torch.tensor(rng.normal(size=(1, c, h, w)), requires_grad=True)
    weight = torch.tensor(rng.normal(size=(co, c // groups, *kernel)), requires_grad=True)
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    y = torch.nn.functional.conv2d(padded, weight, stride=stride, groups=groups)
    dy = torch.tensor(rng.normal(size=y.shape))
    y.backward(dy)

    def device(t: torch.Tensor) -> np.ndarray:
        return t.detach().numpy().transpose(0, 2, 3, 1).astype(np.float32)

    s = {
        "in_h": h, "in_w": w, "in_c": c, "out_h": y.shape[2], "out_w": y.shape[3], "out_c": co, "k_h": kernel[0],
        "k_w": kernel[1], "stride_h": stride[0], "stride_w": stride[1], "pad_top": top, "pad_left": left,
        "groups": groups, "count_pad": 0, "in_pitch": c, "out_pitch": co,
    }  # fmt: skip
    xd, wd, dyd = device(x), device(weight), device(dy)
    calls = [
        ("el_conv2d_fwd_f32__ref", [s, xd, wd, None, np.zeros_like(dyd)]),
        ("el_conv2d_bwd_x_f32__ref", [s, dyd, wd, np.zeros_like(xd)]),
        ("el_conv2d_bwd_w_f32__ref", [s, 1.0, xd, dyd, np.zeros_like(wd)]),
    ]
    results = probe.run("host", calls)
    assert x.grad is not None
    assert weight.grad is not None
    np.testing.assert_allclose(results[0].arrays[4], device(y), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results[1].arrays[3], device(x.grad), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results[2].arrays[4], device(weight.grad), rtol=1e-5, atol=1e-5)
