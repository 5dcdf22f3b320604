"""Watching a board that runs: readings across resets and lost ports, and what they are written to."""

from __future__ import annotations

from edgelearn.watch.history import History
from edgelearn.watch.watcher import Watcher

__all__ = ["History", "Watcher"]
