"""What a benchmark gives, and how a time is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        ours, peer: in `unit`; peer None where there is none.
        target: what must hold, in words; holds: None where the line only informs.
    """

    work: str
    unit: str
    ours: float
    peer: float | None
    target: str
    holds: bool | None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    def line(self) -> str:
        peer = f"{self.peer:,.1f}" if self.peer is not None else "-"
        ratio = f"{self.ratio:.1f}x" if self.ratio is not None else "-"
        mark = {True: "yes", False: "NO", None: ""}[self.holds]
        work = f"{self.work} [{self.unit}]"
        return f"{work:58}{self.ours:>12,.1f}{peer:>12}{ratio:>8}{self.target:>14}  {mark}"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def best_s(work: Callable[[], object], seconds: float = 1.0) -> float:
    """The shortest of repeated runs: the machine is shared."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best
