"""The inspection of a released DICOM object: every element at every depth is listed, and has the form of its entry.

What may leave is said once, in ``iods.yaml`` and :mod:`.dicom.values`: a value that would not leave as it stands is
none that this program wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from struct import Struct, pack

from trialbids.mappings.iods import iods

from ..inventory.elements import ITEM, LONG_VRS, SEQUENCE_END, UNDEFINED
from ..inventory.header import EXPLICIT_BIG_UID, EXPLICIT_LITTLE_UID
from .dicom.own import IMPLEMENTATION_NAME, IMPLEMENTATION_UID, PREAMBLE
from .elementforms import Forms
from .search import Searcher
from .shapes import Rules, is_released_uid
from .volumes import Finding

MAX_DEPTH = 8
PIXEL_DATA = 0x7FE00010
META_GROUP, META_LENGTH, META_LENGTH_END = 0x0002, 0x00020000, len(PREAMBLE) + 12
BINARY_META = (META_LENGTH, 0x00020001)
SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
ROWS, COLUMNS, BITS, SAMPLES, FRAMES, PHOTOMETRIC = (
    0x00280010, 0x00280011, 0x00280100, 0x00280002, 0x00280008, 0x00280004,
)  # fmt: skip
PADDED = b" \0"
_VISIT = re.compile(r"sourcedata/sub-(?P<subject>[0-9A-Za-z]+)/ses-(?P<session>[0-9A-Za-z]+)/")
_HEADS = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_LENGTHS = {True: Struct("<L"), False: Struct(">L")}
_ITEMS = {True: Struct("<HHL"), False: Struct(">HHL")}

Element = tuple[int, bytes, int, int]
"""Tag, VR, and where the value begins and ends."""


def look_into_object(root: Path, relative: str, searcher: Searcher, rules: Rules) -> Iterator[Finding]:
    """Everything in a DICOM file of the tree that may not leave.

    Raises ``OSError``, and ``ValueError`` where it is none, or none of the form that this program writes.
    """
    data = (root / relative).read_bytes()
    for hit in searcher.in_bytes(data):
        yield f"byte {hit.offset}", hit.kind, hit.form, ""
    if any(data[:128]):
        yield "preamble", "odd-header", "", ""
    meta, start = _file_meta(data)
    syntax = meta.get(0x00020010, "").rstrip("\0 ")
    little = syntax != EXPLICIT_BIG_UID
    visit = _VISIT.match(relative)
    labels = (visit["subject"], visit["session"]) if visit else ("", "")
    inspection = _Inspection(data, little, searcher, Forms.of(rules, *labels, little))
    top: dict[int, bytes] = {}
    yield from inspection.level(start, len(data), "", 0, top)
    yield from _odd_meta(meta, start - META_LENGTH_END, top)
    yield from _pixels(data, inspection, top, syntax)


class _Inspection:
    """The look into one object. ``pixels`` is its pixel data element, once the top level has been walked."""

    def __init__(self, data: bytes, little: bool, searcher: Searcher, forms: Forms) -> None:
        self._data, self._little, self._searcher, self._forms = data, little, searcher, forms
        self.pixels: Element | None = None

    def level(self, start: int, end: int, above: str, depth: int, seen: dict[int, bytes]) -> Iterator[Finding]:
        """The elements of a data set or item; their values go into ``seen``."""
        last = 0
        for tag, vr, begin, stop in _elements(self._data, start, end, self._little):
            if tag <= last:
                yield _place(above, tag), "odd-value", "", "elements out of their order"
            last = tag
            if tag == PIXEL_DATA and not depth:
                self.pixels = tag, vr, begin, stop
                return
            if stop == UNDEFINED or stop > end:
                raise ValueError("an element that does not end")
            if vr != b"SQ":
                seen[tag] = self._data[begin:stop]
            yield from self._element(tag, vr, begin, stop, above, depth)

    def _element(self, tag: int, vr: bytes, begin: int, stop: int, above: str, depth: int) -> Iterator[Finding]:
        if vr == b"SQ" and (form := self._forms.sequence(tag)):
            yield from self._sequence(tag, form, begin, stop, _place(above, tag), depth)
            return
        raw = self._data[begin:stop]
        kind = self._forms.fault(tag, vr, raw, is_top=not depth)
        if kind:
            text = raw.rstrip(PADDED).decode("latin-1")
            place = _place(above, tag)
            yield place, kind, "", text[:256]
            yield from ((place, hit.kind, hit.form, text[:256]) for hit in self._searcher.in_text(text))

    def _sequence(self, tag: int, form: str, begin: int, stop: int, place: str, depth: int) -> Iterator[Finding]:
        if (form == "empty" and stop > begin) or depth >= MAX_DEPTH:
            yield place, "odd-value", "", "a sequence that is not empty"
            return
        for first, last in _items(self._data, begin, stop, self._little):
            content: dict[int, bytes] = {}
            yield from self.level(first, last, place, depth + 1, content)
            if form == "code" and not self._forms.is_code(tag, content):
                yield place, "odd-value", "", "a code that is none of the standard"


def _place(above: str, tag: int) -> str:
    own = f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
    return f"{above}/{own}" if above else own


def _elements(data: bytes, start: int, end: int, little: bool) -> Iterator[Element]:
    """The elements in explicit VR. An undefined length is given as it stands."""
    head, length = _HEADS[little], _LENGTHS[little]
    position = start
    while position < end:
        if position + head.size > end:
            raise ValueError("bytes that are no element")
        group, number, vr, size = head.unpack_from(data, position)
        if not (vr.isalpha() and vr.isupper()):
            raise ValueError("no explicit VR")
        begin = position + head.size
        if vr in LONG_VRS:
            if begin + length.size > end:
                raise ValueError("bytes that are no element")
            (size,) = length.unpack_from(data, begin)
            begin += length.size
        stop = UNDEFINED if size == UNDEFINED else begin + size
        yield group << 16 | number, vr, begin, stop
        position = stop


def _items(data: bytes, start: int, end: int, little: bool) -> Iterator[tuple[int, int]]:
    """Where the items of a sequence begin and end, each with its length stated."""
    head = _ITEMS[little]
    position = start
    while position < end:
        if position + head.size > end:
            raise ValueError("bytes that are no item")
        group, number, size = head.unpack_from(data, position)
        begin, position = position + head.size, position + head.size + size
        if group << 16 | number != ITEM or position > end:
            raise ValueError("a sequence that cannot be followed")
        yield begin, position


def _file_meta(data: bytes) -> tuple[dict[int, str], int]:
    """The values of the file meta information by tag, as text, and where it ends."""
    if data[128 : len(PREAMBLE)] != PREAMBLE[128:]:
        raise ValueError("no DICOM file")
    meta: dict[int, str] = {}
    end = len(PREAMBLE)
    for tag, _, begin, stop in _elements(data, end, len(data), True):
        if tag >> 16 != META_GROUP:
            break
        if stop > len(data):
            raise ValueError("a cut file")
        meta[tag], end = data[begin:stop].decode("latin-1"), stop
    return meta, end


def _odd_meta(meta: Mapping[int, str], length: int, top: Mapping[int, bytes]) -> Iterator[Finding]:
    """The file meta information is ours, and says what the object says."""
    expected = {
        META_LENGTH: pack("<L", length).decode("latin-1"),
        0x00020001: "\0\1",
        0x00020002: top.get(SOP_CLASS, b"").rstrip(PADDED).decode("latin-1"),
        0x00020003: top.get(SOP_INSTANCE, b"").rstrip(PADDED).decode("latin-1"),
        0x00020012: IMPLEMENTATION_UID,
        0x00020013: IMPLEMENTATION_NAME,
    }
    for tag, value in meta.items():
        place, text = f"file meta/{_place('', tag)}", value if tag in BINARY_META else value.rstrip("\0 ")
        if tag == 0x00020010:
            if not is_released_uid(text) or text.startswith("2.25."):
                yield place, "odd-value", "", text
        elif tag not in expected:
            yield place, "unknown-key", "", text
        elif text != expected[tag]:
            yield place, "odd-value", "", text
    if top.get(SOP_CLASS, b"").rstrip(PADDED).decode("latin-1") not in iods().iods:
        yield "", "odd-value", "", "an object of a kind that is not written"


def _pixels(data: bytes, inspection: _Inspection, top: Mapping[int, bytes], syntax: str) -> Iterator[Finding]:
    """The pixel data end where the image does, and the file with them."""
    if inspection.pixels is None:
        yield _place("", PIXEL_DATA), "odd-value", "", "no pixel data"
        return
    _, vr, begin, stop = inspection.pixels
    little = syntax != EXPLICIT_BIG_UID
    if stop == UNDEFINED:
        is_right, stop = vr == b"OB", _end_of_fragments(data, begin, little)
    else:
        expected = _expected_bytes(top, little)
        is_padded = stop - begin == expected + 1 and expected & 1 and not data[stop - 1]
        is_right = stop - begin == expected or is_padded
        is_right = is_right and vr in (b"OB", b"OW") and syntax in (EXPLICIT_LITTLE_UID, EXPLICIT_BIG_UID)
    if not is_right:
        yield _place("", PIXEL_DATA), "odd-bytes", "", "pixel data of another length or form than the header says"
    if stop != len(data):
        yield "behind the pixel data", "odd-bytes", "", f"{len(data) - stop} bytes"


def _end_of_fragments(data: bytes, position: int, little: bool) -> int:
    head = _ITEMS[little]
    while position + head.size <= len(data):
        group, number, size = head.unpack_from(data, position)
        position += head.size
        if group << 16 | number == SEQUENCE_END:
            if size:
                raise ValueError("a delimiter with a length")
            return position
        if group << 16 | number != ITEM:
            break
        position += size
    raise ValueError("compressed pixel data that cannot be followed")


def _expected_bytes(top: Mapping[int, bytes], little: bool) -> int:
    """The bytes of the pixels by the header (PS3.5 section 8)."""
    order = "little" if little else "big"
    rows, columns, bits, samples = (int.from_bytes(top.get(tag, b""), order) for tag in (ROWS, COLUMNS, BITS, SAMPLES))
    frames = top.get(FRAMES, b"").strip(PADDED)
    count = rows * columns * max(samples, 1) * max(int(frames) if frames.isdigit() else 1, 1)
    if top.get(PHOTOMETRIC, b"").strip(PADDED) == b"YBR_FULL_422":
        count = count * 2 // 3
    return (count * bits + 7) // 8
