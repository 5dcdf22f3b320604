"""A run that outlives its board: after a reset it goes on from what the board has saved."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from edgelearn.errors import BoardSilent, DeviceError, PortLost
from edgelearn.link import Link
from edgelearn.session.base import BoardSession
from edgelearn.session.outcome import Event, Outcome

AWAY = 60.0  # seconds that a board may stay away
PAUSE = 0.25  # between two looks for it
IN_VAIN = 3  # returns without one more sample than before after which it is given up


class LastingRun:
    """Runs what `make` gives for a link, again and again until one comes to its end.

    `open_link` gets the baud rate at which the board was found to answer, None for that of its file. `make` is told
    whether it goes on with a run that broke off. `saves`: the board keeps weights through a reset; where
    it does not, losing it ends the run with DeviceError. `outcome` is what has been brought home so far.
    """

    def __init__(
        self,
        open_link: Callable[[int | None], Link],
        make: Callable[[Link, bool], BoardSession],
        on_event: Callable[[Event], None],
        *,
        saves: bool,
    ) -> None:
        self.open_link, self.make, self.on_event, self.saves = open_link, make, on_event, saves
        self.outcome = Outcome()
        self._most = self._vain = 0
        self._rate: int | None = None

    def run(self) -> Outcome:
        """To the end, through resets. DeviceError if the board stays away, or gets no further."""
        again, link = False, self.open_link(None)
        while True:
            try:
                with contextlib.closing(link):
                    self._once(link, again)
                return self.outcome
            except (BoardSilent, PortLost) as error:
                if isinstance(error, BoardSilent) and error.rate and self._rate is None:
                    self._rate = error.rate
                    self.on_event(Event("rate", {"baud": error.rate}))
                    link = self.open_link(self._rate)
                    continue
                if self.outcome.samples == 0:
                    raise  # it was not there to begin with
                self._lost(error)
                again, link = True, self._find()

    def _once(self, link: Link, again: bool) -> None:
        session = self.make(link, again)
        session.before = self.outcome.before
        try:
            session.run()
        finally:
            found = session.outcome
            found.seconds += self.outcome.seconds
            if found.weights or not self.outcome.weights:
                self.outcome = found

    def _lost(self, error: DeviceError) -> None:
        samples = self.outcome.samples
        if not self.saves:
            raise DeviceError(
                f"lost the board after {samples:,} samples: {error.message}",
                details=("the weights of its last whole epoch are kept",),
                hint="with --save-every 100 a run goes on from what the board has saved",
            ) from None
        self._vain = 0 if samples > self._most else self._vain + 1
        self._most = max(self._most, samples)
        if self._vain >= IN_VAIN:
            raise DeviceError(
                f"the board gets no further than {samples:,} samples",
                details=(error.message,),
                hint="a board that resets itself while it trains may lack power",
            ) from None
        self.on_event(Event("lost", {"reason": error.message, "samples": samples}))

    def _find(self) -> Link:
        start = time.monotonic()
        while True:
            try:
                return self.open_link(self._rate)
            except DeviceError as error:
                if time.monotonic() - start > AWAY:
                    reason = f"the board did not come back in {AWAY:g} s"
                    raise DeviceError(reason, details=(error.message,), hint="the same command goes on later") from None
            time.sleep(PAUSE)
