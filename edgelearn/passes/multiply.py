"""Training with piecewise affine products in the place of multiplications (ops.pam): `pam` and `pam-exact`.

Every op with a kernel for it multiplies so, forward, backward and in the update; all tensors stay float32. What has
none computes in float32: the loss and its gradient, softmax, sigmoids, average pools, recurrent layers, gated
functions, norms with each sample's own statistics, the norm of gradients. With `pam` a gradient has the products that
it always has, piecewise affine; with `pam-exact` convolutions and fully connected layers have the exact derivatives of
what they compute, which need a layer's input for the gradient of that input, and its weights for that of the weights.
"""

from __future__ import annotations

from dataclasses import replace

from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.ops import OPS
from edgelearn.ops.pam import EXACT, SUFFIX

FLOAT, EXACTLY = "float", "pam-exact"


def exact_layers(graph: Graph, multiply: str, precision: str) -> Graph:
    """A graph that is about to be differentiated, with the layers whose derivatives will be exact.

    InputError where products of halves would have to be piecewise affine.
    """
    if multiply != FLOAT and precision != "fp32":
        raise InputError(
            f"piecewise affine products are those of float32, not of {precision}",
            where=f"--multiply {multiply}",
            hint="--precision fp32",
        )
    return _renamed(graph, f"{EXACT}{SUFFIX}") if multiply == EXACTLY else graph


def affine_products(graph: Graph, multiply: str) -> Graph:
    """A complete training graph with the products that are wanted."""
    return graph if multiply == FLOAT else _renamed(graph, SUFFIX)


def _renamed(graph: Graph, suffix: str) -> Graph:
    """Every op that exists with this suffix becomes that one."""
    nodes = [replace(n, op=n.op + suffix) if n.op + suffix in OPS else n for n in graph.nodes]
    return graph.replace(nodes=nodes)
