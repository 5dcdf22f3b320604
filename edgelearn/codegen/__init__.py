"""Writes the C of a plan: `model.c`, the program a careful person would have written, and `weights.c`, its numbers."""

from edgelearn.codegen.features import baked, feature_files, features_of
from edgelearn.codegen.sources import Sources, generate
from edgelearn.codegen.text import WIDTH, c_float, c_name, value_lines, wrap_call

__all__ = [
    "WIDTH",
    "Sources",
    "baked",
    "c_float",
    "c_name",
    "feature_files",
    "features_of",
    "generate",
    "value_lines",
    "wrap_call",
]
