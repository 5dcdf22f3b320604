"""Float nets whose frozen part is quantised here: the generated C gives numpy's integers, bit for bit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from edgelearn.training import training_graph
from tests.host.test_random_graphs import examples, graphs
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


def planned(source: Graph) -> Plan:
    """A random net's plan with an int8 prefix; the example is given up where the first layer has no int8 form."""
    try:
        return make_plan(source, CONFIG.with_changes(loss="mse"), load("host"))
    except InputError as error:
        assume("no layer can run in int8" not in error.message)
        raise


@examples(60)
@given(graphs())
def test_random_nets_stay_near_their_float_selves(graph: Graph) -> None:
    """20 dB, an error of a tenth, of whatever the prefix hands over, on samples that it was calibrated with."""
    source = calibrated(graph)
    plan = planned(source)
    ours, theirs = Reference(plan.graph), Reference(training_graph(source, TrainConfig(train="last", loss="mse")))
    handed = {n.inputs[0]: n.outputs[0] for n in plan.graph.nodes if n.op == "dequantize"}
    assert handed
    signal, noise = dict.fromkeys(handed, 0.0), dict.fromkeys(handed, 0.0)
    for x in samples(source, 6):
        ours.forward(as_it_travels(plan, x))
        theirs.forward(x)
        for name, real in handed.items():
            truth = theirs.values[name].astype(np.float64)
            signal[name] += float((truth**2).sum())
            noise[name] += float(((ours.values[real] - truth) ** 2).sum())
    assert all(noise[name] <= 0.01 * signal[name] for name in handed)


@examples(8)
@given(graphs())
def test_random_nets_in_c(graph: Graph) -> None:
    """The whole forward pass, its float part included: 1e-5 of the largest output, where an int8 step is 4e-3."""
    plan = planned(calibrated(graph))
    with tempfile.TemporaryDirectory() as folder:
        model, reference = CModel(plan, Path(folder)), Reference(plan.graph)
        for x in samples(graph, 4, 21):
            fed = as_it_travels(plan, x)
            truth = reference.forward(fed).reshape(-1)
            np.testing.assert_allclose(model.forward(fed), truth, rtol=0, atol=1e-5 * max(np.abs(truth).max(), 1e-3))
