"""What can learn within a budget: partitions of a model tried one after another, and the frontier of those that fit."""

from edgelearn.fit.candidates import DEAREST_RECOMPUTE, RECOMPUTE, chains
from edgelearn.fit.flags import flags_of
from edgelearn.fit.search import WORTH, Budget, Fit, Row, search

__all__ = ["DEAREST_RECOMPUTE", "RECOMPUTE", "WORTH", "Budget", "Fit", "Row", "chains", "flags_of", "search"]
