"""Consumer lag by Burrow's rules: a state from a window of samples, without thresholds."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from itertools import pairwise

import msgspec

WINDOW = 10


class LagState(StrEnum):
    """How a consumer group does."""

    OK = "OK"
    WARN = "WARN"
    STALL = "STALL"
    STOP = "STOP"
    REWIND = "REWIND"


class Sample(msgspec.Struct, frozen=True):
    """A group at one moment: last-delivered id, when it was first seen there, and its lag."""

    at_s: float
    delivered: tuple[int, int]
    lag: int | None


class LagWindow:
    """The newest samples of one group."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=WINDOW)
        self._advanced_s = 0.0

    def add(self, sample: Sample) -> None:
        """Take a sample, newest last."""
        if not self._samples or self._samples[-1].delivered != sample.delivered:
            self._advanced_s = sample.at_s
        self._samples.append(sample)

    @property
    def state(self) -> LagState:
        """Burrow's evaluation, first rule that holds."""
        samples = list(self._samples)
        if len(samples) < 2 or any(s.lag == 0 for s in samples):
            return LagState.OK
        ids = [s.delivered for s in samples]
        behind = [b < a for a, b in pairwise(ids)]
        if any(behind) and ids[-1] < max(ids):
            return LagState.REWIND
        span_s = samples[-1].at_s - samples[0].at_s
        if len(samples) == WINDOW and samples[-1].at_s - self._advanced_s > span_s:
            return LagState.STOP
        if ids[0] == ids[-1]:
            return LagState.STALL
        lags = [s.lag for s in samples if s.lag is not None]
        if lags and all(b >= a for a, b in pairwise(lags)):
            return LagState.WARN
        return LagState.OK
