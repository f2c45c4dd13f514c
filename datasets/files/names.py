"""BIDS file names read as entities. The words come from the BIDS schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

_ENTITY = re.compile(r"([a-z]+)-([0-9a-zA-Z]+(?:\+[0-9a-zA-Z]+)*)")
_SUFFIX = re.compile(r"[0-9a-zA-Z]+")
NIFTI = (".nii.gz", ".nii")


@dataclass(frozen=True, slots=True)
class Name:
    """A BIDS file name: its short entity keys with their labels as written, suffix and extension."""

    entities: frozenset[tuple[str, str]]
    suffix: str
    extension: str


def parse_name(filename: str) -> Name | None:
    """The parts of a file name, or None where it does not follow BIDS.

    >>> parse_name("sub-01_run-2_T1w.nii.gz").suffix
    'T1w'
    >>> parse_name("scan.nii.gz") is None
    True
    """
    stem, dot, extension = filename.partition(".")
    *parts, suffix = stem.split("_")
    if not dot or not _SUFFIX.fullmatch(suffix):
        return None
    pairs: dict[str, str] = {}
    for part in parts:
        pair = _pair(part)
        if pair is None or pair[0] in pairs:
            return None
        pairs[pair[0]] = pair[1]
    return Name(frozenset(pairs.items()), suffix, dot + extension)


class VisitNames:
    """Reads the names of the files of one visit, whose ends recur in every other: the same answers as
    :func:`parse_name`, and None for a name that lacks one of the ``entities`` of the visit.

    >>> VisitNames([("sub", "01"), ("ses", "1")]).parse("sub-01_ses-1_T1w.nii.gz").suffix
    'T1w'
    """

    def __init__(self, entities: Iterable[tuple[str, str]]) -> None:
        pairs = tuple(entities)
        self._own = frozenset(pairs)
        self._keys = frozenset(key for key, _ in pairs)
        self._start = "".join(f"{key}-{label}_" for key, label in pairs)

    def parse(self, filename: str) -> Name | None:
        """The parts of a file name."""
        if not self._start or not filename.startswith(self._start):
            name = parse_name(filename)
            return name if name is not None and self._own <= name.entities else None
        end = _end(filename[len(self._start) :])
        if end is None or any(key in self._keys for key, _ in end.entities):
            return None
        return Name(self._own | end.entities, end.suffix, end.extension)


@lru_cache(maxsize=1 << 12)
def _end(text: str) -> Name | None:
    return parse_name(text)


@lru_cache(maxsize=1 << 14)
def _pair(part: str) -> tuple[str, str] | None:
    match = _ENTITY.fullmatch(part)
    return (match[1], match[2]) if match else None


@cache
def entity_keys() -> Mapping[str, str]:
    """Short key of every BIDS entity, by its long and by its short name (``acquisition`` and ``acq`` give ``acq``)."""
    from bidsschematools.schema import load_schema

    objects = load_schema().objects.entities
    keys = {long: str(entity.name) for long, entity in objects.items()}
    return MappingProxyType({**keys, **{short: short for short in keys.values()}})


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key under which ``a2`` comes before ``a10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
