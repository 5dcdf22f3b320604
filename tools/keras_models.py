"""Makes ONNX files of Keras models: every BatchNorm unfused, and a transpose at both sides of each convolution.

    python tools/keras_models.py                       all that there are, into the project's cache
    python tools/keras_models.py keyword_spotting      this one; its path goes to stdout

Keras runs on torch, and torch's exporter writes the file. The weights are those of the `.h5` of the same package that
the TensorFlow Lite models come from, so that both formats of a net have to give the same numbers.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.fetch_assets import KERAS, fetch

NAMES = sorted(name for found in KERAS.values() for name in found)
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "keras"


def make(name: str) -> Path:
    """The ONNX file of a model, made if the cache does not have it; KeyError for an unknown name, FetchError."""
    source, target = fetch(f"{name}.h5"), CACHE / f"{name}.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it takes seconds: a second process waits for the first
        if not target.exists():
            partial = target.with_suffix(".part")
            _write(source, partial)
            partial.replace(target)
    return target


def _write(source: Path, target: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"  # read when keras is imported
    import keras
    import onnx
    import torch

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        """As older versions saved it, with a number of groups that says nothing."""

        def __init__(self, *args: Any, groups: int | None = None, **settings: Any) -> None:
            super().__init__(*args, **settings)

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = keras.models.load_model(source, compile=False, custom_objects={"DepthwiseConv2D": DepthwiseConv2D})
        sample = torch.zeros((1, *net.input_shape[1:]))
        torch.onnx.export(net.eval(), (sample,), target, dynamo=True, external_data=False, verbose=False)
    model = onnx.load(target)
    _untie(model)
    onnx.save(model, target)


def _untie(model: Any) -> None:
    """Give every reader a weight of its own: the exporter keeps one of two that hold the same numbers.

    In ResNet8 the bias of a shortcut and the shift of the norm that it is added to start and train alike.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    seen: Counter[str] = Counter()
    for node in graph.node:
        for slot, name in enumerate(node.input):
            if name not in stored:
                continue
            seen[name] += 1
            if seen[name] > 1:
                copy = graph.initializer.add()
                copy.CopyFrom(stored[name])
                copy.name = node.input[slot] = f"{name}_{seen[name]}"


def main() -> int:
    """Make the models named on the command line, or all."""
    parser = argparse.ArgumentParser(description="Make ONNX files of pinned Keras models.")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []], help=", ".join(NAMES))
    for name in parser.parse_args().names or NAMES:
        print(make(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
