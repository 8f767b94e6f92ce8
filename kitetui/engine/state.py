"""State: plain objects as data and back, for checkpoints. Nothing of it runs what it reads.

`freeze` walks what an object holds: numbers, text, arrays, containers, and objects of classes below
`kitetui.engine`. What is configuration or code (settings, functions, calendars) is left out, and so
are attributes that a class names in `NOT_STATE`: `thaw` fills an object that was made from the same
settings, and keeps these as it finds them. Objects that stand in several places stand there again
as one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Generator, Iterator
from enum import Enum
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

import msgspec
import numpy as np

from kitetui.engine.arrow import pa
from kitetui.engine.calendar import Calendar
from kitetui.engine.patterns.registry import Detector

PACKAGE = "kitetui.engine."
NODES_AT_ONCE = 2_000
BYTES_AT_ONCE = 4 << 20
"""How much is walked, and packed, before others get their turn."""
_CODEC = pa.Codec("zstd", compression_level=1)
ATOMS = (type(None), bool, int, float, str, bytes)
CLASSES = 256
"""So many are found without looking for them again; a state has thousands of objects of few."""
CONFIGURATION = (Calendar, Detector)
DICTS: dict[str, type[dict[Any, Any]]] = {
    "dict": dict, "Counter": Counter, "OrderedDict": OrderedDict,
}  # fmt: skip
SKIPPED = ["x"]
TAGS = frozenset("xregatnflsqdmo")
"""What nodes are: skipped, seen before, enum, numpy scalar, array, tuple, named tuple, frozenset,
list, set, deque, dict, struct, object."""
UNFIT = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, ImportError, OSError,
         RecursionError, MemoryError, pa.ArrowException)  # fmt: skip
Array: TypeAlias = np.ndarray[Any, Any]
Walk: TypeAlias = Generator[None, None, Any]


class StateError(Exception):
    """Data that does not fit the object that it is to fill."""


class Packed(msgspec.Struct):
    """An array: its bytes in C order, in parts, compressed: most of a state is zeros."""

    dtype: str
    shape: tuple[int, ...]
    parts: list[bytes]


class Frozen(msgspec.Struct):
    """An object as data: a tree of plain values, and the arrays that it names by their numbers."""

    tree: Any = None
    arrays: list[Packed] = msgspec.field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its arrays, which are most of it."""
        return sum(len(part) for array in self.arrays for part in array.parts)


def freeze(thing: Any, out: Frozen) -> Iterator[None]:
    """Copy a state, in steps; it must not change in between. `out` is complete at the end.

    Raises:
        StateError: something is of a kind that this cannot tell.
    """
    try:
        out.tree = yield from _Freezer(out).node(thing)
    except UNFIT as error:
        raise StateError(f"{type(error).__name__}: {error}") from error


def thaw(live: Any, frozen: Frozen) -> Any:
    """Fill an object with a state; what it is then, which may be another object.

    Raises:
        StateError: the data does not fit.
    """
    try:
        return _Thawer(frozen.arrays).node(live, frozen.tree)
    except UNFIT as error:
        raise StateError(f"{type(error).__name__}: {error}") from error


class _Freezer:
    def __init__(self, out: Frozen) -> None:
        self._arrays = out.arrays
        self._seen: dict[int, int] = {}
        self._held: list[Any] = []
        """What was numbered stays, so that no other object takes its identity meanwhile."""
        self._nodes = 0
        self._bytes = 0

    def node(self, thing: Any) -> Walk:
        kind = type(thing)
        if kind in ATOMS:
            return thing
        if (number := self._seen.get(id(thing))) is not None:
            return ["r", number]
        self._nodes += 1
        if self._nodes >= NODES_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            self._nodes = self._bytes = 0
            yield
        if isinstance(thing, Enum):
            return ["e", _name(kind), thing.value]
        if isinstance(thing, np.generic):
            return ["g", kind.__name__, thing.item()]
        if isinstance(thing, np.ndarray):
            return (yield from self._array(thing))
        if isinstance(thing, tuple):
            items = yield from self._items(thing)
            return ["n", _name(kind), items] if hasattr(thing, "_fields") else ["t", items]
        if isinstance(thing, frozenset):
            return ["f", (yield from self._items(thing))]
        if kind.__module__ == "kitetui.settings" or isinstance(thing, CONFIGURATION):
            return SKIPPED
        return (yield from self._numbered(thing, kind))

    def _numbered(self, thing: Any, kind: type) -> Walk:
        """What may stand in several places."""
        number = self._number(thing)
        if isinstance(thing, list | set):
            return ["l" if kind is list else "s", number, (yield from self._items(thing))]
        if isinstance(thing, deque):
            return ["q", number, thing.maxlen, (yield from self._items(thing))]
        if isinstance(thing, dict):
            if kind.__name__ not in DICTS:
                raise StateError(f"a dictionary of type {kind.__name__}")
            keys, values = list(thing), list(thing.values())
            told = yield from self._items(keys)
            return ["d", number, kind.__name__, told, (yield from self._items(values))]
        if isinstance(thing, msgspec.Struct):
            values = [getattr(thing, name) for name in thing.__struct_fields__]
            return ["m", number, _name(kind), (yield from self._items(values))]
        if kind.__module__.startswith(PACKAGE):
            left_out = getattr(kind, "NOT_STATE", ())
            held = {n: v for n, v in _attributes(thing).items() if n not in left_out}
            return ["o", number, _name(kind), list(held), (yield from self._items(held.values()))]
        if callable(thing):
            return SKIPPED
        raise StateError(f"a {kind.__module__}.{kind.__qualname__}")

    def _items(self, things: Any) -> Walk:
        out: list[Any] = []
        for thing in list(things):
            out.append((yield from self.node(thing)))
        return out

    def _array(self, array: Array) -> Walk:
        if array.dtype.hasobject or array.dtype.names:
            raise StateError(f"an array of {array.dtype}")
        number = self._number(array)
        packed = Packed(array.dtype.str, array.shape, [])
        self._arrays.append(packed)
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for at in range(0, len(flat), BYTES_AT_ONCE):
            part = flat[at : at + BYTES_AT_ONCE]
            packed.parts.append(_CODEC.compress(part, asbytes=True))
            self._bytes += len(part)
            if self._bytes >= BYTES_AT_ONCE:
                self._nodes = self._bytes = 0
                yield
        return ["a", number, len(self._arrays) - 1]

    def _number(self, thing: Any) -> int:
        self._held.append(thing)
        self._seen[id(thing)] = len(self._held) - 1
        return len(self._held) - 1


class _Thawer:
    def __init__(self, arrays: list[Packed]) -> None:
        self._arrays = arrays
        self._made: dict[int, Any] = {}

    def node(self, live: Any, node: Any) -> Any:
        """What a node tells; `live` is what stands there now, and is filled where it can be."""
        if not isinstance(node, list):
            return node
        if node[0] not in TAGS:
            raise StateError(f"a node of kind {node[0]}")
        return getattr(self, f"_{node[0]}")(live, *node[1:])

    def _x(self, live: Any) -> Any:
        return live

    def _r(self, live: Any, number: int) -> Any:
        return self._made[number]

    def _e(self, live: Any, name: str, value: Any) -> Any:
        return _class(name, Enum)(value)

    def _g(self, live: Any, name: str, value: Any) -> Any:
        kind = getattr(np, name)
        if not (isinstance(kind, type) and issubclass(kind, np.generic)):
            raise StateError(f"{name}: is no number")
        return kind(value)

    def _a(self, live: Any, number: int, at: int) -> Any:
        packed = self._arrays[at]
        made = live if _fits(live, packed) else np.empty(packed.shape, np.dtype(packed.dtype))
        flat = made.reshape(-1).view(np.uint8)
        done = 0
        for part in packed.parts:
            size = min(BYTES_AT_ONCE, len(flat) - done)
            told = _CODEC.decompress(part, decompressed_size=size, asbytes=True)
            flat[done : done + size] = np.frombuffer(told, np.uint8)
            done += size
        if done != len(flat):
            raise StateError("an array that is cut short")
        self._made[number] = made
        return made

    def _t(self, live: Any, items: list[Any]) -> Any:
        return tuple(self._items(live, items))

    def _n(self, live: Any, name: str, items: list[Any]) -> Any:
        return _class(name, tuple)(*self._items(live, items))

    def _f(self, live: Any, items: list[Any]) -> Any:
        return frozenset(self._items(None, items))

    def _l(self, live: Any, number: int, items: list[Any]) -> Any:
        made = self._made[number] = live if type(live) is list else []
        made[:] = self._items(list(made), items)
        return made

    def _s(self, live: Any, number: int, items: list[Any]) -> Any:
        made = self._made[number] = live if type(live) is set else set()
        found = self._items(None, items)
        made.clear()
        made.update(found)
        return made

    def _q(self, live: Any, number: int, maxlen: int | None, items: list[Any]) -> Any:
        fits = isinstance(live, deque) and live.maxlen == maxlen
        made = self._made[number] = live if fits else deque(maxlen=maxlen)
        found = self._items(list(made), items)
        made.clear()
        made.extend(found)
        return made

    def _d(self, live: Any, number: int, kind: str, keys: list[Any], values: list[Any]) -> Any:
        fits = type(live) is DICTS[kind]
        made = self._made[number] = live if fits else DICTS[kind]()
        before = dict(made)
        found = [self.node(None, key) for key in keys]
        told = [self.node(before.get(k), v) for k, v in zip(found, values, strict=True)]
        made.clear()
        for key, value in zip(found, told, strict=True):
            made[key] = value  # `update` of a Counter adds up
        return made

    def _m(self, live: Any, number: int, name: str, values: list[Any]) -> Any:
        kind = _class(name, msgspec.Struct)
        names = kind.__struct_fields__
        if type(live) is kind and not kind.__struct_config__.frozen:
            made = self._made[number] = live
            for field, value in zip(names, values, strict=True):
                setattr(made, field, self.node(getattr(live, field), value))
            return made
        told = [self.node(getattr(live, field, None), value)
                for field, value in zip(names, values, strict=True)]  # fmt: skip
        made = self._made[number] = kind(**dict(zip(names, told, strict=True)))
        return made

    def _o(self, live: Any, number: int, name: str, names: list[str], values: list[Any]) -> Any:
        kind = _class(name)
        made = self._made[number] = live if type(live) is kind else kind.__new__(kind)
        before = _attributes(made)
        for attribute, value in zip(names, values, strict=True):
            object.__setattr__(made, attribute, self.node(before.get(attribute), value))
        for attribute in before.keys() - set(names) - set(getattr(kind, "NOT_STATE", ())):
            object.__delattr__(made, attribute)  # what is worked out when it is asked for
        return made

    def _items(self, live: Any, items: list[Any]) -> list[Any]:
        held = live if isinstance(live, list | tuple) else ()
        return [self.node(held[at] if at < len(held) else None, item)
                for at, item in enumerate(items)]  # fmt: skip


def _fits(live: Any, packed: Packed) -> bool:
    """Whether an array can take what was packed in its place."""
    return (isinstance(live, np.ndarray) and live.shape == packed.shape
            and live.dtype.str == packed.dtype
            and live.flags.writeable and live.flags.c_contiguous)  # fmt: skip


def _attributes(thing: Any) -> dict[str, Any]:
    held = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(thing, name) and name not in ("__dict__", "__weakref__"):
                held[name] = getattr(thing, name)
    return held


def _name(kind: type) -> str:
    if not kind.__module__.startswith(PACKAGE):
        raise StateError(f"a {kind.__module__}.{kind.__qualname__}")
    return f"{kind.__module__}:{kind.__qualname__}"


@lru_cache(maxsize=CLASSES)
def _class(name: str, of: type = object) -> Any:
    module, _, qualified = name.partition(":")
    if not module.startswith(PACKAGE):
        raise StateError(f"{name}: is none of ours")
    found: Any = import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, of)):
        raise StateError(f"{name}: is no {of.__name__}")
    return found
