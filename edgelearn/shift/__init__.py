"""Shift networks: weights that are signed powers of two, so that a product is a shift."""
