"""The cheap look at every slice: pixels that only a drawn stroke shows.

A scanner's pixels carry noise, so three in a row that are *equal to the last bit* beside a sharp step are rare, and so
are several that are exactly the brightest of their surroundings. A letter drawn with one value is made of both.
Neither asks for a contrast, a size or a place. Text that lies on every slice is also looked for in the projection:
there anatomy changes from slice to slice and drawn letters do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]

STEP = 0.08
"""A stroke stands out from beside it by this share of the stack's range (0.5th to 99.8th percentile)."""
STEADY = 0.2
"""In the projection a drawn pixel changes between the slices by at most this share of its step."""
FEWEST_SLICES = 4
"""With fewer slices their agreement says nothing."""
SMALLEST = 16
"""An image with fewer rows or columns has no room for text."""
CELL = 4
"""Pixels are counted in cells of so many rows and columns."""
AROUND = 5
"""Cells across the surroundings in which a drawn pixel is the brightest."""
WINDOWS = ((3, 8), (8, 3))
"""A window that holds a few letters, in cells: 12 x 32 pixels, for text along the rows or along the columns."""
USUAL = 2.0
"""What three quarters of the windows stay below is taken off so many times: coarse data has equal pixels everywhere."""
PROJECTION = -1
"""Stands for the slice number where the projection showed it."""


class Rectangle(Protocol):
    """Something with a height and a width in pixels."""

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Suspect:
    """A window with many drawn pixels.

    ``slice`` (:data:`PROJECTION` for all of them), its first ``row`` and ``column``, height and width in pixels, how
    many drawn pixels there are above what is usual in that slice, and the value that most of them have.
    """

    slice: int
    row: int
    column: int
    rows: int
    columns: int
    strokes: float
    value: float

    def meets(self, row: int, column: int, box: Rectangle) -> bool:
        """Whether a box with that first row and column shares a pixel with the window."""
        apart_down = row >= self.row + self.rows or self.row >= row + box.rows
        apart_across = column >= self.column + self.columns or self.column >= column + box.columns
        return not (apart_down or apart_across)

    def overlaps(self, other: Suspect) -> bool:
        """Whether both are at much the same place, on whatever slice."""
        return self.meets(other.row, other.column, other)


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """A stack as its slices were shown, with what is asked of it more than once.

    ``images`` are C-contiguous (row, column); ``low`` and ``high`` are the extremes through the slices (row, column);
    ``step`` is by how much a stroke stands out, above 0.
    """

    images: tuple[Pixels, ...]
    low: Pixels
    high: Pixels
    step: float

    @classmethod
    def of(cls, stack: Pixels) -> Slices:
        """Of a stack (slice, row, column) of a type that :func:`plain` gives; the range is taken on 5,000 pixels."""
        images = tuple(np.ascontiguousarray(image) for image in stack)
        low = high = images[0]
        for image in images[1:]:
            low, high = cv2.min(low, image), cv2.max(high, image)
        apart = max(1, int((stack.size / 5_000) ** 0.5))
        bottom, top = np.percentile(stack[:, ::apart, ::apart], (0.5, 99.8))
        if top <= bottom:  # nearly nothing but background
            bottom, top = low.min(), high.max()
        return cls(images, low, high, STEP * float(top - bottom) or 1.0)

    @property
    def room(self) -> bool:
        """Whether text could be there at all."""
        return min(self.low.shape) >= SMALLEST


def slice_suspects(slices: Slices, fewest: float) -> list[Suspect]:
    """The windows with at least ``fewest`` drawn pixels, strongest first; a slice gives at most one of either shape."""
    suspects: list[Suspect] = []
    if slices.room:
        lowest = float(slices.low.min())
        for k, image in enumerate(slices.images):
            suspects += _windows(k, image, _drawn(image, slices.step, lowest), fewest)
    return sorted(suspects, key=lambda suspect: -suspect.strokes)


def projection_suspects(slices: Slices, fewest: float) -> list[Suspect]:
    """The same for what stays put through all slices: at most one window of either shape."""
    if len(slices.images) < FEWEST_SLICES or not slices.room:
        return []
    low, high = slices.low.astype(np.float32), slices.high.astype(np.float32)
    level, change = (low + high) / 2, high - low
    lit = level > float(low.min()) + slices.step
    marks = np.zeros(low.shape, np.bool_)
    for axis, here in ((0, np.s_[:-1, :]), (1, np.s_[:, :-1])):
        edge = np.abs(np.diff(level, axis=axis))
        marks[here] |= (edge > slices.step) & (change[here] <= STEADY * edge) & lit[here]
    suspects = _windows(PROJECTION, slices.low, marks.view(np.uint8), fewest)
    return sorted(suspects, key=lambda suspect: -suspect.strokes)


def plain(voxels: Pixels) -> Pixels:
    """``voxels`` in a type that OpenCV computes with, equal values still equal: RGB as the mean of its colours."""
    if voxels.dtype.names:
        colours = np.stack([voxels[name] for name in voxels.dtype.names])
        return np.asarray(np.mean(colours, axis=0, dtype=np.float32)).astype(np.uint8)
    if voxels.dtype in (np.uint8, np.int16, np.uint16):
        return voxels
    values = voxels.astype(np.float32)
    return values if voxels.dtype.kind in "iub" else np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _drawn(image: Pixels, step: float, lowest: float) -> Pixels:
    """255 where a pixel stands out by ``step`` from the next one and is equal to others as only a drawn one is.

    That is: the middle of three equal ones along the step, or as bright as the brightest for some 20 pixels around. The
    stack's ``lowest`` value is left out: it fills what was masked or padded.
    """
    marks = np.zeros(image.shape, np.uint8)
    tops = _brightest_around(image)
    same = cv2.compare(image[1:], image[:-1], cv2.CMP_EQ)
    runs = cv2.bitwise_or(cv2.bitwise_and(same[1:], same[:-1]), tops[1:-1])
    beside = _above(cv2.absdiff(image[1:-1, :-1], image[1:-1, 1:]), step)
    marks[1:-1, :-1] = cv2.bitwise_and(runs[:, :-1], beside)
    same = cv2.compare(image[:, 1:], image[:, :-1], cv2.CMP_EQ)
    runs = cv2.bitwise_or(cv2.bitwise_and(same[:, 1:], same[:, :-1]), tops[:, 1:-1])
    beside = _above(cv2.absdiff(image[:-1, 1:-1], image[1:, 1:-1]), step)
    marks[:-1, 1:-1] = cv2.bitwise_or(marks[:-1, 1:-1], cv2.bitwise_and(runs[:-1], beside))
    return cv2.bitwise_and(marks, _above(image, lowest))


def _above(values: Pixels, limit: float) -> Pixels:
    """255 where a value is above the limit."""
    scalar: Any = limit  # OpenCV's own type hints know only arrays
    return cv2.compare(values, scalar, cv2.CMP_GT)


def _brightest_around(image: Pixels) -> NDArray[np.uint8]:
    """255 where no pixel around is brighter; 0 in the last rows that fill no cell."""
    rows = image.shape[0] // CELL * CELL
    highest = image[:rows:CELL]
    for offset in range(1, CELL):
        highest = cv2.max(highest, image[offset:rows:CELL])
    highest = cv2.dilate(highest, np.ones((AROUND, AROUND * CELL), np.uint8))
    tops = np.zeros(image.shape, np.uint8)
    for offset in range(CELL):
        tops[offset:rows:CELL] = cv2.compare(image[offset:rows:CELL], highest, cv2.CMP_EQ)
    return tops


def _windows(k: int, image: Pixels, marks: Pixels, fewest: float) -> list[Suspect]:
    """The windows with the most marks, one of either shape, where these are ``fewest`` above what is usual."""
    if cv2.countNonZero(marks) < fewest:
        return []
    y, x = np.divmod(np.flatnonzero((marks & 1).view(np.bool_)), marks.shape[1])
    down, across = (-(-size // CELL) for size in marks.shape)
    cells = (
        np.bincount(y // CELL * across + x // CELL, minlength=down * across).reshape(down, across).astype(np.float32)
    )
    suspects = []
    for high, wide in WINDOWS:
        kernel = (min(wide, across), min(high, down))
        sums = cv2.boxFilter(cells, -1, kernel, anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
        _, most, _, (left, top) = cv2.minMaxLoc(sums)
        strokes = most if most < fewest else most - USUAL * _three_quarters(sums)
        if strokes >= fewest:
            rows, columns = high * CELL, wide * CELL
            here = np.s_[top * CELL : top * CELL + rows, left * CELL : left * CELL + columns]
            values, counts = np.unique(image[here][marks[here] > 0], return_counts=True)
            value = float(values[np.argmax(counts)])
            suspects.append(Suspect(k, top * CELL, left * CELL, rows, columns, strokes, value))
    return suspects


def _three_quarters(values: Pixels) -> float:
    """What three quarters of the values stay below."""
    place = values.size * 3 // 4
    return float(np.partition(values, place, axis=None)[place])
