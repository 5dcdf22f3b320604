"""edgelearn: a trained model goes in, a microcontroller that keeps training it comes out."""

__version__ = "0.1.0"
