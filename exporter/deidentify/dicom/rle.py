"""A frame in DICOM's run length encoding with its runs and nothing else (PS3.5 annex G)."""

from __future__ import annotations

from struct import Struct

from .codestream import Codestream, corrupt, truncated
from .samples import Samples

HEADER = Struct("<16L")
MOST_SEGMENTS = 15
NOTHING = 128


def clean_rle(data: bytes, samples: Samples) -> Codestream:
    """The frame with a header made anew, and of each segment only the runs that its bytes need.

    Raises ``ConversionError`` (corrupt, truncated).
    """
    if len(data) < HEADER.size:
        raise truncated()
    count, *offsets = HEADER.unpack(data[: HEADER.size])
    expected = samples.per_pixel * samples.allocated // 8
    if count != expected or not 0 < count <= MOST_SEGMENTS:
        raise corrupt()
    ends = [*offsets[1:count], len(data)]
    if any(not HEADER.size <= begin < end for begin, end in zip(offsets, ends, strict=False)):
        raise corrupt()
    size = samples.rows * samples.columns
    segments = [_runs(data[begin:end], size) for begin, end in zip(offsets, ends, strict=False)]
    starts = [HEADER.size + sum(map(len, segments[:n])) for n in range(count)]
    header = HEADER.pack(count, *starts, *[0] * (MOST_SEGMENTS - count))
    rows, columns = samples.rows, samples.columns
    return Codestream(header + b"".join(segments), rows, columns, samples.per_pixel, samples.allocated)


def _runs(segment: bytes, size: int) -> bytes:
    """The runs that make ``size`` bytes, padded to an even length."""
    out = bytearray()
    at = made = 0
    while made < size:
        if at + 1 >= len(segment):
            raise truncated()
        code = segment[at]
        if code == NOTHING:
            at += 1
            continue
        taken, makes = (2 + code, 1 + code) if code < NOTHING else (2, 257 - code)
        out += segment[at : at + taken]
        at, made = at + taken, made + makes
    if at > len(segment):
        raise truncated()
    if made > size:
        raise corrupt()
    return bytes(out) + b"\0" * (len(out) % 2)
