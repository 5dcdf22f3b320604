"""Float nets whose frozen part is quantised here: the generated C gives numpy's integers, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from tests.support.clib import CModel
from tests.support.nets import NETS as FLOAT_NETS
from tests.support.prefix_nets import CONFIG, NETS, calibrated, samples
from tests.support.tflm import until_float

NAMES = [*NETS, "mlp", "conv1d_net", "residual_net", "autoencoder"]
CASES = [(name, "minmax", "auto") for name in NAMES] + [("wide", "mse", "f32"), ("wide", "percentile", "s8")]


@pytest.mark.parametrize(("name", "method", "travel"), CASES)
def test_generated_code_computes_the_same_integers(name: str, method: str, travel: str, tmp_path: Path) -> None:
    source = calibrated({**FLOAT_NETS, **NETS}[name](), method)
    plan = until_float(make_plan(source, CONFIG.with_changes(samples=travel), load("host")))
    assert plan.samples == ("f32" if travel == "f32" else "s8")
    cut = plan.graph.outputs[0]
    model, reference = CModel(plan, tmp_path), Reference(plan.graph)
    seen = set()
    # Also what calibration has not seen, twice as large: it saturates.
    for sample in np.concatenate((samples(source, 6, 9), 2 * samples(source, 6, 10))):
        fed = as_it_travels(plan, sample)
        reference.forward(fed)
        truth = reference.values[cut].reshape(-1)
        np.testing.assert_array_equal(model.forward(fed), truth)
        seen.update(truth.tolist())
    assert len(seen) > 20
