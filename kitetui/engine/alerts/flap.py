"""Flaps: keys whose condition comes and goes too often to be told.

Nagios' rule: of the last 21 states, each change weighs 0.75 (oldest) to 1.25 (newest); flapping
starts at 20 % of all that could have changed and stops at 5 %.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

STATES = 21
_CHANGES = STATES - 1
_MASK = (1 << STATES) - 1
_WEIGHTS = tuple(1.25 - 0.5 * bit / (_CHANGES - 1) for bit in range(_CHANGES))
"""By age: bit 0 is the newest change. They sum to 20."""
_HALF = 10
_TABLES = tuple(
    tuple(sum(_WEIGHTS[half * _HALF + bit] for bit in range(_HALF) if word >> bit & 1)
          for word in range(1 << _HALF))
    for half in (0, 1)
)  # fmt: skip
KEYS_MAX = 20_000


def changed_share(states: int) -> float:
    """Weighted share of changes in 21 states, the newest in bit 0: 0 to 1."""
    changes = (states ^ states >> 1) & (1 << _CHANGES) - 1
    low, high = changes & (1 << _HALF) - 1, changes >> _HALF
    return (_TABLES[0][low] + _TABLES[1][high]) / _CHANGES


class _Key(msgspec.Struct):
    states: int = 0
    step: int = -1
    flapping: bool = False


class Flaps:
    """States of keys, sampled at whole steps such as bars; a pure function of what it was told."""

    def __init__(self, start: float, stop: float) -> None:
        """`start`, `stop`: shares at which flapping begins and ends."""
        self._start, self._stop = start, stop
        self._keys: OrderedDict[tuple[object, ...], _Key] = OrderedDict()

    def fired(self, key: tuple[object, ...], step: int, lasts: int) -> bool:
        """The key's condition was met at a step and lasts so many; whether it is flapping."""
        known = self._known(key)
        if step <= known.step:
            return known.flapping
        gap = step - known.step - 1 if known.step >= 0 else 0
        on = min(gap, max(lasts - 1, 0))
        # Between two changes the share only falls: what it was at its ends tells all.
        for count, active in ((on, True), (min(gap - on, 1), False), (gap - on - 1, False)):
            if count > 0:
                self._go_on(known, min(count, STATES), active)
        self._go_on(known, 1, True)
        known.step = step
        return known.flapping

    def sample(self, key: tuple[object, ...], step: int, active: bool) -> bool:
        """The key's condition at a step, met or not; whether it is flapping."""
        known = self._known(key)
        if step > known.step:
            self._go_on(known, 1, active)
            known.step = step
        return known.flapping

    def _known(self, key: tuple[object, ...]) -> _Key:
        known = self._keys.get(key)
        if known is None:
            known = self._keys[key] = _Key()
            if len(self._keys) > KEYS_MAX:
                self._keys.popitem(last=False)
        return known

    def _go_on(self, known: _Key, count: int, active: bool) -> None:
        """So many steps of one state."""
        states = (1 << count) - 1 if active else 0
        known.states = (known.states << count | states) & _MASK
        share = changed_share(known.states)
        known.flapping = share > self._stop if known.flapping else share >= self._start
