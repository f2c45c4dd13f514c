"""A JPEG 2000 codestream with only what decoding needs (ITU-T T.800 annex A, T.814 for high throughput).

Comments, lists of packet lengths, the boxes of a file around the codestream (annex I), and what stands behind the
image are not taken over. What a writer hides among the coded bits of a tile cannot be told from the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, pack

from .codestream import Codestream, corrupt, truncated, unknown

START, END = b"\xff\x4f", b"\xff\xd9"
SIZE, CODING, COMPONENT_CODING, REGION, DEFAULT_STEPS, COMPONENT_STEPS, ORDER, CAPABILITIES = (
    0xFF51, 0xFF52, 0xFF53, 0xFF5E, 0xFF5C, 0xFF5D, 0xFF5F, 0xFF50,
)  # fmt: skip
PACKED_MAIN, PACKED_TILE, TILE, DATA, TILE_LENGTHS = 0xFF60, 0xFF61, 0xFF90, 0xFF93, 0xFF55
KEPT_MAIN = frozenset((SIZE, CODING, COMPONENT_CODING, REGION, DEFAULT_STEPS, COMPONENT_STEPS, ORDER, CAPABILITIES))
KEPT_TILE = (KEPT_MAIN | {PACKED_TILE}) - {SIZE, CAPABILITIES}
SKIPPED = frozenset((0xFF64, 0xFF63, 0xFF57, 0xFF58, 0xFF56, 0xFF59))
"""Comments; where components lie to each other; lengths of packets; profiles."""
MOST_LENGTHS = 10_000
FILE = b"\0\0\0\x0cjP  \r\n\x87\n"
RECOLOURED = (b"pclr", b"cmap", b"cdef")
_SOT = Struct(">HHHLBB")


def clean_jpeg2000(data: bytes) -> Codestream:
    """The codestream without what decoding does not need.

    Raises ``ConversionError``: corrupt or truncated where it cannot be followed, no-dicom-output where a part of it
    is not known.
    """
    data = _contents(data) if data.startswith(FILE) else data
    if data[:2] != START:
        raise corrupt()
    main, at = _header(data, 2, KEPT_MAIN | {PACKED_MAIN}, TILE)
    size = main[0].body if main and main[0].marker == SIZE else b""
    if len(size) < 39 or len(size) != 36 + 3 * int.from_bytes(size[34:36]):
        raise corrupt()
    components = int.from_bytes(size[34:36])
    wide = 2 if components > 256 else 1
    levels = _levels(main, wide)
    tiles: list[tuple[int, bytes]] = []
    while data[at : at + 2] != END:
        if at + 1 >= len(data):
            break  # an encoder that leaves out the end
        tile, at = _tile_part(data, at, wide, levels)
        tiles.append(tile)
    if not tiles:
        raise truncated()
    listed = b"".join(_lengths(tiles)) if any(s.marker == TILE_LENGTHS for s in main) else b""
    head = START + _encoded([s for s in main if s.marker != TILE_LENGTHS], wide, levels) + listed
    width, height, left, top = Struct(">4L").unpack(size[2:18])
    precision = max(1 + (size[n] & 0x7F) for n in range(36, len(size), 3))
    return Codestream(head + b"".join(t for _, t in tiles) + END, height - top, width - left, components, precision)


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    body: bytes


def _contents(data: bytes) -> bytes:
    """The codestream in the boxes of a JP2 file, where nothing around it changes what the samples mean."""
    for kind, begin, end in _boxes(data, 0, len(data)):
        if kind == b"jp2h" and any(inner in RECOLOURED for inner, _, _ in _boxes(data, begin, end)):
            raise unknown()
        if kind == b"jp2c":
            return data[begin:end]
    raise corrupt()


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes from ``at`` to ``end``: kind, where the contents begin and where they end (T.800 I.4)."""
    while at + 8 <= end:
        length, kind, begin = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], at + 8
        if length == 1:
            length, begin = int.from_bytes(data[at + 8 : at + 16]), at + 16
        stop = end if length == 0 else at + length
        if not begin <= stop <= end:
            raise corrupt()
        yield kind, begin, stop
        at = stop


def _header(data: bytes, at: int, kept: frozenset[int], last: int) -> tuple[list[_Segment], int]:
    """The segments from ``at`` that stay, and where the marker ``last`` is. Lists of tile lengths are kept for one."""
    segments: list[_Segment] = []
    while (marker := int.from_bytes(data[at : at + 2])) != last:
        length = int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if length < 2 or len(body) < length - 2:
            raise corrupt()
        if marker in kept or (marker == TILE_LENGTHS and last == TILE):
            segments.append(_Segment(marker, body))
        elif marker not in SKIPPED:
            raise unknown()
        at += 2 + length
    return segments, at


def _tile_part(data: bytes, at: int, wide: int, levels: int) -> tuple[tuple[int, bytes], int]:
    """The number of the tile and its part rewritten, and where the next marker is (T.800 A.4.2)."""
    if len(data) < at + _SOT.size:
        raise truncated()
    marker, length, tile, size, part, parts = _SOT.unpack(data[at : at + _SOT.size])
    if marker != TILE or length != 10:
        raise corrupt()
    segments, begin = _header(data, at + _SOT.size, KEPT_TILE, DATA)
    end = at + size if size else data.find(END, begin)
    if end > len(data) or end < 0:
        raise truncated()
    if end < begin + 2:
        raise corrupt()
    body = _encoded(segments, wide, max(levels, _levels(segments, wide))) + data[begin:end]
    return (tile, _SOT.pack(TILE, 10, tile, _SOT.size + len(body), part, parts) + body), end


def _encoded(segments: list[_Segment], wide: int, levels: int) -> bytes:
    """Segments with what belongs to each of them, none of them twice. ``wide`` is the bytes of a component's number."""
    seen: set[tuple[int, bytes]] = set()
    out = bytearray()
    for segment in segments:
        marker, body = segment.marker, segment.body
        of = body[:wide] if marker in (COMPONENT_CODING, COMPONENT_STEPS, REGION) else b""
        if marker in (PACKED_MAIN, PACKED_TILE):
            of = body[:1]
        if (marker, of) in seen:
            raise corrupt()
        seen.add((marker, of))
        body = body[: _size(marker, body, wide, levels)]
        out += pack(">HH", marker, len(body) + 2) + body
    return bytes(out)


def _size(marker: int, body: bytes, wide: int, levels: int) -> int:
    """How many bytes of a segment have a meaning. Raises ``ConversionError`` (corrupt) where it has fewer."""
    size = len(body)
    if marker == CODING:
        size = 10 + (_at(body, 5) + 1 if _at(body, 0) & 1 else 0)
    elif marker == COMPONENT_CODING:
        size = wide + 6 + (_at(body, wide + 1) + 1 if _at(body, wide) & 1 else 0)
    elif marker in (DEFAULT_STEPS, COMPONENT_STEPS):
        begin = 1 if marker == DEFAULT_STEPS else 1 + wide
        size = begin + _step_bytes(_at(body, begin - 1) & 31, len(body) - begin, levels)
    elif marker == REGION:
        size = wide + 2
    elif marker == CAPABILITIES:
        size = 4 + 2 * int.from_bytes(body[:4]).bit_count()
    elif marker == ORDER and size % (5 + 2 * wide):
        raise corrupt()
    if size > len(body):
        raise corrupt()
    return size


def _at(body: bytes, place: int) -> int:
    if place >= len(body):
        raise corrupt()
    return body[place]


def _step_bytes(style: int, there: int, levels: int) -> int:
    """The bytes of the step sizes of all bands: none quantised, all by the first, or each its own (T.800 A.6.4)."""
    bands = 1 + 3 * levels
    if style > 2:
        raise corrupt()
    return (min(bands, there), 2, min(2 * bands, there))[style]


def _levels(segments: list[_Segment], wide: int) -> int:
    """The most levels of the wavelet transform that any component has, 0 where no segment says."""
    said = [s.body[5] for s in segments if s.marker == CODING and len(s.body) > 5]
    said += [s.body[wide + 1] for s in segments if s.marker == COMPONENT_CODING and len(s.body) > wide + 1]
    return min(max(said, default=0), 32)


def _lengths(tiles: list[tuple[int, bytes]]) -> Iterator[bytes]:
    """The list of the tile-parts' lengths made anew (T.800 A.7.1); high throughput in one order requires it."""
    for n, begin in enumerate(range(0, len(tiles), MOST_LENGTHS)):
        some = tiles[begin : begin + MOST_LENGTHS]
        yield pack(">HHBB", TILE_LENGTHS, 4 + 6 * len(some), n & 255, 0x60)
        yield b"".join(pack(">HL", tile, len(part)) for tile, part in some)
