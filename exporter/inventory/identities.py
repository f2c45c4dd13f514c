"""All identifying text of an object, at every depth: collected while its header is read, and kept private.

Which elements are meant, `mappings/identifiers.yaml` says; names of persons count wherever they stand, in private
elements too. Most objects of a series say the same, so that the answer is remembered by the stored bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache

import numpy as np

from .decode import CHARACTER_SET_VRS, text
from .elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Element,
    Encoding,
    Level,
    OddEncodingError,
    items_of,
)
from .pairs import PAIR, VALUE
from .syntax import is_decodable
from .tags import CHARACTER_SET, IDENTIFYING, SEQUENCES

LONGEST = 256
"""Characters of a value that are kept: addresses fit, a novel does not."""

MAX_DEPTH = 100
LARGE_BYTES = 2 * 1024
"""A larger sequence (functional groups, references) differs from object to object as a rule, and is not remembered."""

_PRIVATE = 0
_SOUGHT = frozenset(IDENTIFYING) | SEQUENCES
_SHORT_TEXT = frozenset((b"AE", b"DA", b"DT", b"LO", b"LT", b"PN", b"SH", b"ST"))
_TEXT_VRS = CHARACTER_SET_VRS | {b""}
_JUNK = dict.fromkeys((*range(0x20), 0x7F, 0xFFFD), " ") | {0x5C: "\\"}

_TAGS = np.array(sorted(IDENTIFYING), np.uint32)
_IS_ELEMENT = np.zeros(0x10000, bool)
_IS_ELEMENT[_TAGS & 0xFFFF] = True

Found = tuple[int, Element]
"""A tag, or 0 for an element that is in no list, and the element."""


def identities(level: Level, character_set: bytes) -> tuple[str, bool]:
    """The distinct kinds and values of an object's top level and of every sequence in it, as ``Instance`` holds them;
    and whether the declared character set can have written those of the top level.

    A large or damaged sequence is searched for the tags instead of being followed item by item.
    """
    values = level.values
    found: list[Found] = [(tag, values[tag]) for tag in _SOUGHT.intersection(values)]
    found += [(_PRIVATE, element) for element in level.unlisted]
    large = [entry for entry in found if len(entry[1][1]) > LARGE_BYTES]
    parsed = [items for tag, items in level.sequences.items() if tag not in values]
    if not large and not parsed:
        return _joined(tuple(found), character_set, _code(level.encoding))
    pairs: set[str] = set()
    for tag, element in found:
        pairs.update(_of_element(tag, element, character_set, level.encoding, 0))
    for items in parsed:
        pairs.update(_of_items(items, character_set, 0))
    return PAIR.join(sorted(pairs)), _are_legible(found, character_set)


def forget() -> None:
    """Forget what is remembered, as a fresh process would."""
    _joined.cache_clear()
    _remembered.cache_clear()


_ENCODINGS = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG)


def _code(encoding: Encoding) -> int:
    """A small number in the place of an encoding, which is quicker to look up."""
    return encoding.explicit + (not encoding.little)


@lru_cache(maxsize=512)
def _joined(found: tuple[Found, ...], character_set: bytes, code: int) -> tuple[str, bool]:
    """The pairs of a top level without large sequences, and whether they can be read."""
    pairs: set[str] = set()
    for tag, element in found:
        pairs.update(_remembered(tag, element, character_set, code))
    return PAIR.join(sorted(pairs)), _are_legible(found, character_set)


def _are_legible(found: Iterable[Found], character_set: bytes) -> bool:
    """Whether the texts among some elements can have been written in the declared character set."""
    return all(
        raw.isascii() or tag not in IDENTIFYING or vr not in _TEXT_VRS or is_decodable(raw, character_set)
        for tag, (vr, raw) in found
    )


@lru_cache(maxsize=8192)
def _remembered(tag: int, element: Element, character_set: bytes, code: int) -> tuple[str, ...]:
    return tuple(_of_element(tag, element, character_set, _ENCODINGS[code], 0))


def _of_element(tag: int, element: Element, character_set: bytes, encoding: Encoding, depth: int) -> Iterator[str]:
    vr, raw = element
    if kind := IDENTIFYING.get(tag) or (IDENTIFYING[_ANY_NAME] if vr == b"PN" else ""):
        yield from _values(kind, raw, character_set, encoding.little)
    elif len(raw) > LARGE_BYTES or depth >= MAX_DEPTH:
        yield from _scattered(raw, character_set, IMPLICIT_LITTLE if vr == b"UN" else encoding)
    else:
        try:
            items = items_of(vr, raw, encoding)
        except OddEncodingError:
            yield from _scattered(raw, character_set, encoding)
            return
        yield from _of_items(items, character_set, depth)


_ANY_NAME = 0x0040A123
"""PersonName of a content item: the kind of a name that stands anywhere."""


def _scattered(raw: bytes, character_set: bytes, encoding: Encoding) -> Iterator[str]:
    """The pairs of a sequence that is large, too deep or damaged: wherever an identifying element begins in it.

    Functional groups have thousands of elements and hardly ever one of these: looking for the tags in the bytes is
    many times as fast as following the items. Every element begins at an even byte of its sequence (PS3.5 7.1.1).
    """
    order = "<u2" if encoding.little else ">u2"
    halves = np.frombuffer(raw, order, len(raw) // 2)
    at = np.flatnonzero(_IS_ELEMENT.take(halves[1:]))
    tags = halves[at].astype(np.uint32) << np.uint32(16) | halves[at + 1]
    known = np.isin(tags, _TAGS)
    places = list(zip(tags[known].tolist(), (2 * at[known]).tolist(), strict=True))
    if encoding.explicit and b"PN" in raw:
        places += [(_ANY_NAME, m.start() - 4) for m in re.finditer(b"PN", raw) if m.start() >= 4 and not m.start() % 2]
    for tag, position in places:
        yield from _values(IDENTIFYING[tag], _value_at(raw, tag, position, encoding), character_set, encoding.little)


def _value_at(raw: bytes, tag: int, position: int, encoding: Encoding) -> bytes:
    """The value of the short text element at a position, empty where the bytes only look like one."""
    if position + 8 > len(raw):
        return b""
    if encoding.explicit:
        _, vr, length = encoding.unpack(raw, position)
        if vr not in _SHORT_TEXT or (tag == _ANY_NAME and vr != b"PN"):
            return b""
    else:
        length = encoding.unpack_length(raw, position + 4)[0]
    value = raw[position + 8 : position + 8 + length] if length <= LONGEST * 4 else b""
    return (
        value if len(value) == length and not any(byte < 0x20 and byte != 0x1B for byte in value.rstrip(b"\0")) else b""
    )


def _of_items(items: Iterable[Level], character_set: bytes, depth: int) -> Iterator[str]:
    """The pairs of some items; an item may have a character set of its own (PS3.3 C.12.1.1.2)."""
    for item in items:
        own = item.values.get(CHARACTER_SET, (b"", b""))[1] or character_set
        for tag in _SOUGHT.intersection(item.values):
            yield from _of_element(tag, item.values[tag], own, item.encoding, depth + 1)
        for element in item.unlisted:
            yield from _of_element(_PRIVATE, element, own, item.encoding, depth + 1)
        for tag, nested in list(item.sequences.items()):
            if tag not in item.values and depth < MAX_DEPTH:
                yield from _of_items(nested, own, depth + 1)


def _values(kind: str, raw: bytes, character_set: bytes, little: bool) -> Iterator[str]:
    """The values of an element in every reading of its bytes: a declared character set may lie."""
    readings = {text(b"UC", raw, character_set, little)}
    if not raw.isascii() and b"\x1b" not in raw:
        readings.add(raw.decode("latin-1"))
        with suppress(UnicodeDecodeError):  # not UTF-8: then it is what was declared, or Latin-1
            readings.add(raw.decode("utf-8"))
    for reading in readings:
        for value in reading.split("\\"):
            if clean := " ".join(value.translate(_JUNK).split())[:LONGEST]:
                yield f"{kind}{VALUE}{clean}"
