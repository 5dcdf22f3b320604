"""Importance of layers for a job: measured once, then read from the job's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgelearn.cli.files import write_bytes
from edgelearn.cli.output import Timer, say
from edgelearn.cli.progress import Progress
from edgelearn.errors import InputError

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.config import TrainConfig
    from edgelearn.data import Dataset
    from edgelearn.graph import Graph
    from edgelearn.importance import Choice, Importance

CACHE = ".edgelearn"


def cached(folder: Path, key: str) -> Importance | None:
    """What was measured before; None where there is nothing, or nothing that can be read."""
    from edgelearn.importance import Importance

    try:
        found = msgspec.json.decode((folder / f"rank-{key}.json").read_bytes(), type=Importance)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.key == key else None


def rank_layers(job: Job, graph: Graph, config: TrainConfig, data: Dataset, choice: Choice) -> Importance:
    """The importance of every layer, kept in `<out>/.edgelearn` under the hash of all that decides it.

    Where nothing can be written there it is measured each time.
    """
    from edgelearn.importance import importance_key, measure

    timer, folder = Timer(), job.out / CACHE
    found = cached(folder, importance_key(graph, config, data, choice))
    if found:
        say(f"read the {choice.rank} ranking of {len(found.layers)} layers from {folder}")
        return found
    with Progress("ranking layers") as progress:
        found = measure(graph, config, data, choice, progress)
    try:
        write_bytes(folder / f"rank-{found.key}.json", msgspec.json.encode(found))
    except InputError as error:
        say(f"warning: the ranking can't be kept for the next time: {error.where}: {error.message}")
    say(f"ranked {len(found.layers)} layers by {choice.rank} over {found.samples:,} samples in {timer}")
    return found
