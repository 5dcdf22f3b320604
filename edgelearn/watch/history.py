"""What was seen of a board, however long: past a limit every second reading goes, the newest ones stay dense."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgelearn.plots import Points

MOST = 20_000  # readings


@dataclass
class History:
    """Events of a Watcher as flat objects. `start` is the time of the first reading."""

    greeting: dict[str, Any] = field(default_factory=dict)
    readings: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)  # `lost` and `found`

    def add(self, event: dict[str, Any]) -> None:
        """One more."""
        kind = event["event"]
        if kind == "connected":
            self.greeting = event
        elif kind == "status":
            self.readings.append(event)
            if len(self.readings) > MOST:
                half = MOST // 2
                self.readings = self.readings[:half:2] + self.readings[half:]
        else:
            self.notes.append(event)

    @property
    def last(self) -> dict[str, Any] | None:
        """The newest reading."""
        return self.readings[-1] if self.readings else None

    @property
    def seconds(self) -> float:
        """From the first reading to the last."""
        return float(self.readings[-1]["time"] - self.readings[0]["time"]) if self.readings else 0.0

    @property
    def resets(self) -> int:
        """How often the board began anew."""
        return sum(bool(note.get("reset")) for note in self.notes)

    def trained(self) -> list[dict[str, Any]]:
        """Readings since a first sample was trained: before that there is no loss."""
        return [r for r in self.readings if r["samples"] > 0]

    def curve(self, key: str) -> Points:
        """A number over the seconds since the first reading, where there is one."""
        if not self.readings:
            return []
        start = self.readings[0]["time"]
        return [(r["time"] - start, float(r[key])) for r in self.trained() if r.get(key) is not None]
