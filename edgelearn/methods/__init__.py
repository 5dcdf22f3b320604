"""How a model trains: which weights, which channels of them, and with which derivative.

A method is one file with a `METHOD`, and its name in `TrainConfig.method`. Methods only decide; `training.py` carries
it out. Nothing here depends on a board, so that a search can try method after method on one graph.
"""

from __future__ import annotations

import importlib
import typing

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.methods.base import Choice, Method
from edgelearn.methods.reach import reach

METHODS: dict[str, Method] = {
    name: importlib.import_module(f"{__name__}.{name}").METHOD
    for name in typing.get_args(typing.get_type_hints(TrainConfig)["method"])
}
OPTIONS = tuple(dict.fromkeys(option for method in METHODS.values() for option in method.options))

__all__ = ["METHODS", "OPTIONS", "Choice", "Method", "choose", "select"]


def choose(graph: Graph, config: TrainConfig) -> Choice:
    """What `--method` with its options makes of an imported graph.

    InputError for settings that do not go together, and for layers and blocks that the model does not have.
    """
    method, plain = METHODS[config.method], TrainConfig()
    for option in OPTIONS:
        if option not in method.options and getattr(config, option) != getattr(plain, option):
            flag = f"--{option.replace('_', '-')}"
            others = [name for name, other in METHODS.items() if option in other.options]
            raise InputError(
                f"{flag} means nothing to the method '{config.method}'",
                where=flag,
                hint=f"leave it out, or use --method {' or '.join(others)}",
            )
    return method.choose(graph, reach(graph, config), config)


def select(graph: Graph, train: str) -> set[str]:
    """The weight tensors that `--train TRAIN` trains as a whole; InputError for a layer that does not exist."""
    return choose(graph, TrainConfig(train=train)).trained
