"""The fast reader of DICOM data elements: plain ``struct``, chosen tags only, any uncompressed encoding.

The encodings are those of PS3.5 section 7. What does not follow them raises :class:`OddEncodingError`, and the
caller asks pydicom, which knows many more accidents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from .source import HEAD_BYTES, Source
from .tags import FRAME_GROUPS, FUNCTIONAL_GROUPS, PIXEL_TAGS, SEQUENCES, SHARED_GROUPS, WANTED_TAGS
from .unreadable import RefusalError

LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"),
        *(b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
UNDEFINED = 0xFFFFFFFF
_SEQUENCE_VRS = frozenset((b"SQ", b"UN", b""))
_PLAIN_VRS = SHORT_VRS - {b"PN"}
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
MAX_DEPTH = 40
MAX_ASIDE_BYTES = 4 * 1024**2
"""A longer sequence that is wanted for the identifiers in it alone is passed over, as any other element is."""

_MATTERING = (*WANTED_TAGS, *PIXEL_TAGS, ITEM, ITEM_END, SEQUENCE_END)
_FIRST_PIXEL_TAG = min(PIXEL_TAGS)
_ASIDE = SEQUENCES - {*FUNCTIONAL_GROUPS, SHARED_GROUPS, FRAME_GROUPS}
_ITEM_BEGINS = {True: b"\xfe\xff\x00\xe0", False: b"\xff\xfe\xe0\x00"}

Element = tuple[bytes, bytes]
"""VR (empty in implicit VR) and the value as stored."""


class OddEncodingError(Exception):
    """The bytes do not follow the encoding they should have."""


class Encoding:
    """How elements are written: byte order, and VR explicit or implicit.

    The four bytes of a tag are read as one number, a key, since that is fastest; ``wanted`` gives the tag of each key
    that matters: those to be kept, the pixel data and the delimiters.
    """

    def __init__(self, *, little: bool, explicit: bool) -> None:
        order = "<" if little else ">"
        self.little = little
        self.explicit = explicit
        self.item = _ITEM_BEGINS[little]
        self.unpack = Struct(order + ("L2sH" if explicit else "LL")).unpack_from
        self.wanted = {(tag >> 16 | (tag & 0xFFFF) << 16) if little else tag: tag for tag in _MATTERING}
        self.unpack_item = Struct(order + "HHL").unpack_from
        self.unpack_length = Struct(order + "L").unpack_from

    def tag_of(self, key: int) -> int:
        """The tag of a key."""
        return (key & 0xFFFF) << 16 | key >> 16 if self.little else key

    def key_of(self, tag: int) -> int:
        """The inverse of :meth:`tag_of`, which is its own."""
        return self.tag_of(tag)


IMPLICIT_LITTLE = Encoding(little=True, explicit=False)
EXPLICIT_LITTLE = Encoding(little=True, explicit=True)
EXPLICIT_BIG = Encoding(little=False, explicit=True)


class Pixels(NamedTuple):
    """Where the pixel data value lies: first byte, and length or -1 if encapsulated."""

    start: int
    length: int


@dataclass(slots=True)
class Level:
    """The chosen elements of one data set or sequence item.

    ``unlisted`` are the elements of no known tag in which a person's name may stand: sequences, and names themselves.
    ``keys`` are the keys of all its elements, chosen or not, in the order of the file.
    """

    encoding: Encoding
    values: dict[int, Element] = field(default_factory=dict)
    sequences: dict[int, list[Level]] = field(default_factory=dict)
    unlisted: list[Element] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)

    def items(self, tag: int) -> list[Level]:
        """The items of a sequence, read when they are first asked for; [] where there is none."""
        if tag not in self.sequences:
            vr, raw = self.values.get(tag, (b"", b""))
            self.sequences[tag] = items_of(vr, raw, self.encoding)
        return self.sequences[tag]


def items_of(vr: bytes, raw: bytes, encoding: Encoding) -> list[Level]:
    """The items of a sequence's value, [] where the VR says that it is none. Raises ``OddEncodingError``."""
    if vr not in _SEQUENCE_VRS:
        return []
    return _items(raw, IMPLICIT_LITTLE if vr == b"UN" else encoding)


def read_data_set(source: Source, start: int, encoding: Encoding) -> tuple[Level, Pixels | None]:
    """The chosen top-level elements from ``start`` on, up to the pixel data.

    Raises ``RefusalError`` (truncated) and ``OddEncodingError``.
    """
    level = Level(encoding)
    position, chunk = start, max(HEAD_BYTES - start, 1024)
    while position < source.size:
        window = source.read(position, chunk)
        step, state = _walk(window, 0, len(window), encoding, level, top=True)
        position += step
        if state == _PIXELS:
            return level, locate_pixels(source, position, encoding)
        if state == _ENDED:
            raise OddEncodingError(f"a delimiter at byte {position} outside any sequence")
        if step:
            chunk = HEAD_BYTES
        elif position + len(window) < source.size:
            chunk = 4 * len(window)
        elif len(window) < 8 and not any(window):
            break
        else:
            raise _truncated(source, position)
    if position > source.size:
        raise _truncated(source, position)
    return level, None


def locate_pixels(source: Source, position: int, encoding: Encoding) -> Pixels:
    """Where the value of the pixel data element at ``position`` lies. Raises ``RefusalError`` (truncated)."""
    header = source.read(position, 12)
    try:
        if not encoding.explicit:
            start, length = position + 8, encoding.unpack_length(header, 4)[0]
        elif header[4:6] in LONG_VRS:
            start, length = position + 12, encoding.unpack_length(header, 8)[0]
        else:
            start, length = position + 8, encoding.unpack(header, 0)[2]
    except StructError:
        raise _truncated(source, position) from None
    return Pixels(start, -1 if length == UNDEFINED else length)


def fragments_end(source: Source, start: int, encoding: Encoding) -> int:
    """The end of encapsulated pixel data (PS3.5 A.4), exclusive of its delimiter.

    A missing delimiter after a last whole fragment is let pass, as readers do. Raises ``RefusalError`` (truncated)
    and ``OddEncodingError``.
    """
    position = start
    while position + 8 <= source.size:
        group, element, length = encoding.unpack_item(source.read(position, 8), 0)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM or length == UNDEFINED:
            raise OddEncodingError(f"no fragment of pixel data at byte {position}")
        position += 8 + length
    if position == source.size and position > start + 8:
        return position
    raise _truncated(source, position)


_SHORT, _PIXELS, _ENDED = range(3)


def _walk(
    data: bytes, position: int, end: int, encoding: Encoding, level: Level | None, *, top: bool, depth: int = 0
) -> tuple[int, int]:
    """Put the chosen elements of ``data[position:end]`` into ``level``, where one is given.

    Gives the place where it stopped and why: ``_SHORT`` (the next element is not all there; the place lies behind
    ``end`` where a skipped value does), ``_PIXELS`` (at the pixel data of the top level) or ``_ENDED`` (at a
    delimiter).
    """
    unpack, explicit, wanted = encoding.unpack, encoding.explicit, encoding.wanted
    values, item = level.values if level else None, encoding.item
    keys = level.keys if level else []
    last = end - 8
    vr = b""
    while position <= last:
        start = position + 8
        aside = False
        if explicit:
            key, vr, length = unpack(data, position)
            if vr not in _PLAIN_VRS:
                if vr in LONG_VRS:
                    if start + 4 > end:
                        return position, _SHORT
                    length = encoding.unpack_length(data, start)[0]
                    start += 4
                    aside = vr == b"SQ" or (vr == b"UN" and data.startswith(item, start))
                elif vr == b"PN":
                    aside = True
                elif wanted.get(key, 0) < ITEM:
                    raise OddEncodingError(f"VR {vr!r} at byte {position}")
        else:
            key, length = unpack(data, position)
            aside = key & 1 and data.startswith(item, start)  # a private sequence
        tag = wanted[key] if key in wanted else 0  # noqa: SIM401  (faster than get)
        if tag >= _FIRST_PIXEL_TAG:
            if tag >= ITEM:
                return position, _ENDED
            if top:
                return position, _PIXELS
            tag = 0
        stop = after = start + length
        if length == UNDEFINED:
            stop = _sequence_end(data, start, end, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth)
            if stop < 0:
                return position, _SHORT
            after = stop + 8
            aside = True
        if tag:
            if stop <= end:
                if values is not None:
                    values[tag] = (vr, data[start:stop])
            elif tag not in _ASIDE or length <= MAX_ASIDE_BYTES:
                return position, _SHORT
        elif aside and level:
            if stop <= end:
                level.unlisted.append((vr, data[start:stop]))
            elif length <= MAX_ASIDE_BYTES:
                return position, _SHORT
        keys.append(key)
        position = after
    return position, _SHORT


def _sequence_end(data: bytes, position: int, end: int, encoding: Encoding, depth: int) -> int:
    """Where the delimiter of an undefined-length sequence stands, or -1 where ``end`` comes before it."""
    if depth > MAX_DEPTH:
        raise OddEncodingError("sequences nested too deeply")
    while position + 8 <= end:
        group, element, length = encoding.unpack_item(data, position)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM:
            raise OddEncodingError(f"({group:04X},{element:04X}) where an item should begin")
        position += 8
        if length != UNDEFINED:
            position += length
            continue
        position, state = _walk(data, position, end, encoding, None, top=False, depth=depth + 1)
        if state != _ENDED:
            return -1
        position += 8
    return -1


def _items(raw: bytes, encoding: Encoding) -> list[Level]:
    """The items of a sequence whose value, without its delimiter, is ``raw``."""
    items: list[Level] = []
    position = 0
    while position + 8 <= len(raw):
        group, element, length = encoding.unpack_item(raw, position)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            break
        position += 8
        end = len(raw) if length == UNDEFINED else position + length
        if tag != ITEM or end > len(raw):
            raise OddEncodingError(f"no whole item at byte {position} of a sequence")
        level = Level(encoding)
        stop, state = _walk(raw, position, end, encoding, level, top=False)
        if (state == _ENDED) != (length == UNDEFINED) or (state == _SHORT and stop != end):
            raise OddEncodingError(f"an item at byte {position} does not end where it says")
        position = stop + 8 if length == UNDEFINED else end
        items.append(level)
    return items


def _truncated(source: Source, position: int) -> RefusalError:
    return RefusalError(
        "truncated",
        f"The header does not end within the file: an element at or before byte {position} runs over "
        f"the file's end at {source.size}. Copy the file again.",
    )
