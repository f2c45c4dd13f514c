"""A page's pixels: rectangles, points of arrows and lines of text with smooth edges, written as a bare PNG.

A page has nothing else, and to bring up matplotlib's figures for it takes longer than to plan a small trial; its fonts
alone are used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WHITE = 255
PACKING = 3
"""zlib's level: a third of the time of its usual one, for a picture that is a quarter larger."""

FINE = 4
"""Samples a pixel, each way, where a corner covers it in part."""

Ink = NDArray[np.floating[Any]]
"""[rows, columns]: how much of each pixel is covered, from 0 to 1."""


class Canvas:
    """White paper of ``scale`` pixels a point, ``width`` x ``height`` points; all places are in points, y runs down."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.scale = scale
        self.pixels = np.full((max(1, round(height * scale)), max(1, round(width * scale)), 3), WHITE, np.uint8)

    def fill(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A rectangle of whole pixels."""
        left, top, right, bottom = (max(0, round(at * self.scale)) for at in (x, y, x + width, y + height))
        self.pixels[top:bottom, left:right] = _tone(color)

    def line(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A rectangle with smooth edges: a line across or down."""
        left, across = _covered(x * self.scale, (x + width) * self.scale)
        top, down = _covered(y * self.scale, (y + height) * self.scale)
        self.put(np.outer(down, across), left, top, color)

    def triangle(self, corners: Sequence[tuple[float, float]], color: str) -> None:
        """A filled triangle."""
        at = np.array(corners) * self.scale
        left, top = np.floor(at.min(axis=0)).astype(int)
        width, height = np.ceil(at.max(axis=0)).astype(int) - (left, top)
        x = left + (np.arange(width * FINE) + 0.5) / FINE
        y = top + (np.arange(height * FINE)[:, None] + 0.5) / FINE
        sides = [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            for (ax, ay), (bx, by) in zip(at, np.roll(at, -1, axis=0), strict=True)
        ]
        inside = np.all([side >= 0 for side in sides], axis=0) | np.all([side <= 0 for side in sides], axis=0)
        share = inside.reshape(height, FINE, width, FINE).mean(axis=(1, 3), dtype=np.float32)
        self.put(share, int(left), int(top), color)

    def put(self, ink: Ink, left: int, top: int, color: str) -> None:
        """Lay ink of a colour (``#rrggbb``) on the paper, its upper left pixel at (left, top); what lies beside the
        paper is left out.
        """
        rows, columns = self.pixels.shape[:2]
        own = ink[max(0, -top) : max(0, rows - top), max(0, -left) : max(0, columns - left), None]
        paper = self.pixels[max(0, top) :, max(0, left) :][: own.shape[0], : own.shape[1]]
        paper[:] = np.rint(paper + own * (_tone(color) - paper))

    def to_png(self) -> bytes:
        """The pixels as a PNG that holds nothing else: no text, no time, no resolution."""
        rows, columns = self.pixels.shape[:2]
        lines = np.zeros((rows, 1 + 3 * columns), np.uint8)  # the first byte says that a line is stored as it is
        lines[:, 1:] = self.pixels.reshape(rows, -1)
        head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), PACKING)), (b"IEND", b""))
        return PNG_SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _tone(color: str) -> NDArray[np.float32]:
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], np.float32)


def _covered(start: float, stop: float) -> tuple[int, NDArray[np.float32]]:
    """The first pixel that a stretch touches, and how much of it and of each that follows it covers."""
    first, last = int(np.floor(start)), int(np.ceil(stop))
    edges = np.arange(first, last, dtype=np.float32)
    return first, (np.minimum(edges + 1, stop) - np.maximum(edges, start)).astype(np.float32)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
