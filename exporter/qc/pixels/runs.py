"""Run lengths (PS3.5 annex G) that are damaged, read without decoding: decoders take what is too long for padding.

What a run repeats is not seen here: a byte of a literal run that was changed is a pixel that was changed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

HEADER = 64
"""Bytes of a frame's header: the number of its segments and the places of at most 15 (PS3.5 G.5)."""
NOTHING = 128
"""The control byte that stands for no run; lesser ones begin a literal run, greater ones repeat a byte (G.3.2)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says of a frame: its matrix, and the bytes of a pixel, each of which is a segment."""

    rows: int
    columns: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Of one frame: whether its runs fill the matrix, neither less nor more, and whether one of them goes on into the
    next row, which the standard forbids (G.3.1) and some encoders do throughout."""

    whole: bool
    crossing: bool


def runs_of(frame: bytes, shape: Shape) -> Runs:
    """How the runs of an encoded frame fill its matrix."""
    if len(frame) < HEADER:
        return Runs(whole=False, crossing=False)
    count, *offsets = struct.unpack(f"<{HEADER // 4}L", frame[:HEADER])
    bounds = [*offsets[:count], len(frame)]
    rising = all(a < b for a, b in pairwise(bounds))
    if count != shape.bytes or len(bounds) != count + 1 or bounds[0] != HEADER or not rising:
        return Runs(whole=False, crossing=False)
    found = [_filled(frame[a:b], shape) for a, b in pairwise(bounds)]
    return Runs(all(runs.whole for runs in found), any(runs.crossing for runs in found))


def _filled(segment: bytes, shape: Shape) -> Runs:
    """How the runs of one segment fill it; what follows the last pixel is padding."""
    left, in_row, at, crossing = shape.rows * shape.columns, shape.columns, 0, False
    size = len(segment)
    while left > 0 and at < size:
        control = segment[at]
        if control < NOTHING:
            length, at = control + 1, at + control + 2
        elif control > NOTHING:
            length, at = 257 - control, at + 2
        else:
            at += 1
            continue
        left -= length
        in_row -= length
        if in_row <= 0:
            crossing = crossing or in_row < 0
            in_row = shape.columns + in_row % -shape.columns
    return Runs(left == 0 and at <= size, crossing)


def damaged_frames(frames: Sequence[Runs]) -> list[int]:
    """Which frames of one image are damaged: they do not fill the matrix, or runs of them go on into the next row
    where those of most others do not."""
    most_keep = 2 * sum(runs.crossing for runs in frames if runs.whole) < sum(runs.whole for runs in frames)
    return [n for n, runs in enumerate(frames) if not runs.whole or (runs.crossing and most_keep)]
