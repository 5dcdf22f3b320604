"""Training runs: what a host does with a board from the first greeting to the weights that it takes home."""

from edgelearn.session.base import BoardSession
from edgelearn.session.course import Session
from edgelearn.session.follower import LOSS_TOLERANCE, OUTPUT_TOLERANCE
from edgelearn.session.lasting import LastingRun
from edgelearn.session.memory import trained_tensors
from edgelearn.session.outcome import Event, Outcome
from edgelearn.session.samples import Samples, as_it_travels, encode, hyper_of
from edgelearn.session.sensing import Ask, SensorSession

__all__ = [
    "LOSS_TOLERANCE",
    "OUTPUT_TOLERANCE",
    "Ask",
    "BoardSession",
    "Event",
    "LastingRun",
    "Outcome",
    "Samples",
    "SensorSession",
    "Session",
    "as_it_travels",
    "encode",
    "hyper_of",
    "trained_tensors",
]
