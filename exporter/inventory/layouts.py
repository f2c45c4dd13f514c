"""Which attributes an object has: gathered while its header is read, and kept once for all objects that have the same.

Most objects of a series have the very same attributes. So an instance bears only the short name of its set, and the
sets stand beside the instances.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .elements import Level  # half of pydicom, which only workers need

MOST_SETS = 20_000
"""How many sets a worker remembers before it begins anew: some tens of megabytes."""

_MAIN_GROUPS = range(0x0008, 0x7FE0)
"""Group numbers of a data set's attributes, without file meta, delimiters and pixel data (PS3.5 section 7.1)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A set of attributes: the tags in order, and a short name that is the same in every process."""

    id: str
    tags: tuple[int, ...]


_by_keys: dict[int, str] = {}
_layouts: dict[str, Layout] = {}


def layout_of(levels: Sequence[Level]) -> str:
    """The name of the set of attributes that stand at some levels of one object.

    Group lengths are none. What lies within a sequence counts only where its items are among ``levels``.
    """
    # A hash of 64 bits in the place of the keys: comparing hundreds of them costs as much as all the rest.
    keys = levels[0].keys if len(levels) == 1 else [key for level in levels for key in level.keys]
    known = hash((levels[0].encoding.little, tuple(keys)))
    return _by_keys.get(known) or _remember(known, levels)


def layouts(names: Iterable[str]) -> tuple[Layout, ...]:
    """The sets that bear these names, in the order of the names; all must have been met since :func:`forget`."""
    return tuple(_layouts[name] for name in sorted(set(names)))


def forget(most: int = MOST_SETS) -> None:
    """Forget all sets where there are more than ``most``."""
    if len(_by_keys) > most:
        _by_keys.clear()
        _layouts.clear()


def _remember(known: int, levels: Sequence[Level]) -> str:
    tags = tuple(sorted({tag for level in levels for tag in _tags(level)}))
    name = hashlib.blake2b(repr(tags).encode(), digest_size=8).hexdigest()
    _layouts[name] = Layout(name, tags)
    _by_keys[known] = name
    return name


def _tags(level: Level) -> Iterable[int]:
    for key in level.keys:
        tag = level.encoding.tag_of(key)
        if tag & 0xFFFF and tag >> 16 in _MAIN_GROUPS:
            yield tag
