"""The C that ranks layers on this computer, against numpy."""

from __future__ import annotations

import pytest

from edgelearn import importance
from edgelearn.config import TrainConfig
from edgelearn.importance import Choice, measure
from tests.support.nets import NETS
from tests.unit.test_importance import data_of


@pytest.mark.parametrize("rank", importance.RANKS)
def test_the_c_gives_what_numpy_gives(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = NETS["residual_net"]()
    data = data_of(graph, 8)
    config = TrainConfig(lr=0.02, momentum=0.9, batch=2, clip_norm=1.0)
    slow = measure(graph, config, data, Choice(rank))
    monkeypatch.setattr(importance, "WORTH_COMPILING", 1)
    fast = measure(graph, config, data, Choice(rank))
    assert (slow.engine, fast.engine) == ("numpy", "c")
    assert fast.key == slow.key
    for name, value in slow.tensors.items():
        assert fast.tensors[name] == pytest.approx(value, rel=2e-3, abs=1e-5)
