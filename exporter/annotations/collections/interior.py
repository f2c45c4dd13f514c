"""The pixels strictly within an outline whose corners are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray


def interior(points: Sequence[tuple[int, int]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """``[rows, columns]``, True where a pixel's centre lies within the closed polygon and not on its line.

    ``points`` are (column, row) from 0; the last is joined to the first. Within is by the even-odd rule, which is
    exact here: only where a centre lies on the line could rounding matter, and those are taken out by whole numbers.

    >>> interior([(0, 0), (4, 0), (4, 3), (0, 3)], (4, 5)).astype(int).tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    inside = np.zeros(shape, np.bool_)
    top, bottom = (clip(row for _, row in points) for clip in (min, max))
    left, right = (clip(column for column, _ in points) for clip in (min, max))
    box = slice(max(top, 0), bottom + 1), slice(max(left, 0), right + 1)
    part = inside[box]
    y, x = np.ogrid[box[0].start : box[0].start + part.shape[0], box[1].start : box[1].start + part.shape[1]]
    edges = list(pairwise([*points, points[0]]))
    for (x1, y1), (x2, y2) in edges:
        if y1 != y2:
            crossing = x1 + (y - y1) * ((x2 - x1) / (y2 - y1))
            part ^= (x < crossing) & ((y1 <= y) != (y2 <= y))
    for edge in edges:
        for column, row in _on_line(*edge):
            if 0 <= row < shape[0] and 0 <= column < shape[1]:
                inside[row, column] = False
    return inside


def _on_line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The whole-numbered points of a straight line, both ends included."""
    across, down = end[0] - start[0], end[1] - start[1]
    steps = gcd(across, down) or 1
    return [(start[0] + k * across // steps, start[1] + k * down // steps) for k in range(steps + 1)]
