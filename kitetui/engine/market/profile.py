"""Volume profiles: volume by price of a session, and the levels read off it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64

BIN_SHARE = 2e-4
FARTHEST = 20
VALUE_AREA = 0.70
PROMINENCE = 0.10
"""A node stands out by this share of the smoothed profile's maximum."""


class Profile(msgspec.Struct):
    """Volume by price, contiguous bins from the lowest traded to the highest.

    Attributes:
        low: rupees, lower edge of the first bin; size: rupees, height of a bin.
        volume: f64 (bins,).
    """

    low: float
    size: float
    volume: F64


class Shapes(msgspec.Struct):
    """Many profiles at a glance: f64 (n,), rupees and shares; NaN where there is none.

    Attributes:
        low: lower edge of the first bin; size: height of a bin; bins: i64 (n,), how many.
        poc: i64 (n,), number of the fullest bin, the lowest of equal ones.
        mean, lowest, highest: volume of the mean bin, the lowest one and the highest one.
    """

    low: F64
    size: F64
    bins: I64
    poc: I64
    mean: F64
    lowest: F64
    highest: F64


class Levels(msgspec.Struct, frozen=True):
    """What a profile says, rupees. POC is the lower edge of its bin.

    Value area by the two-row method of the CBOT Market Profile handbook: from the POC, the larger
    of the next two rows above and the next two below is added whole until 70 % is held.

    Attributes:
        hvn, lvn: lower edges of high and low volume nodes.
    """

    poc: float
    vah: float
    val: float
    hvn: tuple[float, ...] = ()
    lvn: tuple[float, ...] = ()


def bin_size(first_close: float, tick: float) -> float:
    """Height of a bin: 2e-4 of the session's first close in whole ticks, at least one tick.

    Works in rupees and in raw integers alike.
    """
    return max(round(BIN_SHARE * first_close / tick), 1) * tick


def levels(profile: Profile) -> Levels | None:
    """POC, value area and nodes; None without volume."""
    volume = profile.volume
    total = float(volume.sum())
    if total <= 0:
        return None
    poc = _poc(volume)
    first, last = _value_area(volume, poc, VALUE_AREA * total)

    def edge(at: int) -> float:
        return round(profile.low + at * profile.size, 6)

    high, low = nodes(volume)
    return Levels(edge(poc), edge(last + 1), edge(first),
                  tuple(map(edge, high)), tuple(map(edge, low)))  # fmt: skip


def _poc(volume: F64) -> int:
    """The fullest bin; of equal ones the nearest to the middle, then the lower."""
    fullest = np.flatnonzero(volume == volume.max())
    middle = (len(volume) - 1) / 2
    return int(fullest[np.argmin(np.abs(fullest - middle))])


def _value_area(volume: F64, poc: int, wanted: float) -> tuple[int, int]:
    """First and last bin of the value area."""
    first = last = poc
    held = float(volume[poc])
    while held < wanted and (first > 0 or last < len(volume) - 1):
        above = volume[last + 1 : last + 3]
        below = volume[max(first - 2, 0) : first]
        if len(above) and (not len(below) or above.sum() >= below.sum()):
            last += len(above)
            held += float(above.sum())
        else:
            first -= len(below)
            held += float(below.sum())
    return first, last


def nodes(volume: F64) -> tuple[list[int], list[int]]:
    """High and low volume nodes: peaks of the three-bin mean, of prominence 10 % of its maximum."""
    if len(volume) < 5:
        return [], []
    edged = np.concatenate([volume[:1], volume, volume[-1:]])
    smooth = (edged[:-2] + edged[1:-1] + edged[2:]) / 3.0
    least = PROMINENCE * float(smooth.max())
    return peaks(smooth, least), peaks(-smooth, least)


def peaks(x: F64, prominence: float) -> list[int]:
    """Local maxima that rise by `prominence` above the higher of their two cols.

    As scipy.signal.find_peaks: a plateau counts once, at its middle; the ends are no peaks.
    """
    found = []
    at, last = 1, len(x) - 1
    while at < last:
        if x[at - 1] < x[at]:
            ahead = at + 1
            while ahead < last and x[ahead] == x[at]:
                ahead += 1
            if x[ahead] < x[at]:
                middle = (at + ahead - 1) // 2
                if _prominence(x, middle) >= prominence:
                    found.append(middle)
                at = ahead
        at += 1
    return found


def _prominence(x: F64, peak: int) -> float:
    """Height of a peak above the higher of the lowest points before higher ground on each side."""
    height = x[peak]
    left = np.flatnonzero(x[:peak] > height)
    right = np.flatnonzero(x[peak + 1 :] > height)
    before = x[(left[-1] + 1 if len(left) else 0) : peak + 1].min()
    after = x[peak : (peak + 1 + right[0] if len(right) else len(x))].min()
    return float(height - max(before, after))


def spread_bars(low: I64, high: I64, volume: I64, size: int) -> tuple[int, F64]:
    """Bars' volume spread evenly over the bins they span: lowest bin's number, volumes.

    Bars that reach further than a factor of 20 from the middle one are left out: a wrong price in
    one of them would ask for more bins than there is memory.

    Args:
        low, high, volume: i64 (n,), raw prices and shares; size: raw height of a bin.
    """
    traded = volume > 0
    if traded.any():
        middle = np.median(low[traded])
        traded &= (high <= middle * FARTHEST) & (low * FARTHEST >= middle) & (low <= high)
    low, high, volume = low[traded] // size, high[traded] // size, volume[traded]
    if not len(low):
        return 0, np.zeros(0)
    base = int(low.min())
    steps = np.zeros(int(high.max()) - base + 2)
    for first, last, shares in zip(low - base, high - base, volume, strict=True):
        steps[first : last + 1] += shares / (last - first + 1)
    return base, steps[:-1]


def composite(profiles: Iterable[tuple[int, F64]]) -> tuple[int, F64]:
    """Profiles over bins of one size, as (lowest bin's number, volumes), added up."""
    held = [(base, volume) for base, volume in profiles if len(volume)]
    if not held:
        return 0, np.zeros(0)
    low = min(base for base, _ in held)
    out = np.zeros(max(base + len(volume) for base, volume in held) - low)
    for base, volume in held:
        out[base - low : base - low + len(volume)] += volume
    return low, out
