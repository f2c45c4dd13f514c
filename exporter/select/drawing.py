"""Boxes, lines and texts on one page, as SVG and PNG: the same drawing gives the same bytes.

The SVG is written here, one element a line, and not by matplotlib: it leaves with the release, where every file must
have a closed form that an inspection can hold it to, and its texts must stand in it as text.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from .raster import PNG_SIGNATURE, Canvas

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"
FONTS = f"{FONT}, Verdana, Arial, sans-serif"
PNG_DPI = 150
UNIT = 100.0
MOST_PIXELS = 30_000
"""A page is not drawn higher; above that its resolution falls."""

CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
"""The chunks of a PNG that hold the image; all others may hold texts and times."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with its upper left corner, in points from the page's upper left."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "#ffffff"
    edge: str = "#334155"


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line with a point at its end, or without one."""

    x1: float
    y1: float
    x2: float
    y2: float
    has_point: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``x`` is its left end, or its middle or right end, ``y`` its base line."""

    x: float
    y: float
    text: str
    size: float = 9.0
    is_bold: bool = False
    color: str = "#0f172a"
    anchor: str = "start"


Shape = Box | Arrow | Text
INK = "#334155"
POINT = 5.0
EDGE = 0.8
"""How wide lines are."""


@dataclass(frozen=True, slots=True)
class Page:
    """A drawing: its size in points (1/72 inch), and its shapes from back to front."""

    width: float
    height: float
    shapes: tuple[Shape, ...]

    def to_svg(self) -> bytes:
        """The drawing as SVG, one element a line."""
        size = (
            f'width="{self.width:.0f}pt" height="{self.height:.0f}pt" viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        )
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}">'
        paper = f'<rect x="0" y="0" width="{self.width:.0f}" height="{self.height:.0f}" fill="#ffffff"/>'
        lines = [head, paper, *(line for shape in self.shapes for line in _svg(shape)), "</svg>", ""]
        return "\n".join(lines).encode()

    def to_png(self) -> bytes:
        """The drawing as PNG, without a word about who drew it and when."""
        canvas = Canvas(self.width, self.height, min(PNG_DPI, MOST_PIXELS * 72 / max(self.width, self.height)) / 72)
        for shape in self.shapes:
            _draw(shape, canvas)
        return canvas.to_png()


def _svg(shape: Shape) -> Iterator[str]:
    match shape:
        case Box(x, y, width, height, fill, edge):
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<rect {place} fill="{fill}" stroke="{edge}" stroke-width="{EDGE}"/>'
        case Arrow(x1, y1, x2, y2, has_point):
            yield f'<path d="M {x1:.1f} {y1:.1f} L {x2:.1f} {y2:.1f}" stroke="{INK}" stroke-width="{EDGE}"/>'
            if has_point:
                corners = " L ".join(f"{x:.1f} {y:.1f}" for x, y in _point(shape))
                yield f'<path d="M {corners} Z" fill="{INK}"/>'
        case Text(x, y, text, size, is_bold, color, anchor):
            bold = ' font-weight="bold"' if is_bold else ""
            place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}"{bold} fill="{color}" text-anchor="{anchor}"'
            yield f"<text {place}>{escape(text)}</text>"


def _point(arrow: Arrow) -> tuple[tuple[float, float], ...]:
    """The three corners of an arrow's point; arrows run across or down."""
    x, y, half = arrow.x2, arrow.y2, POINT * 0.4
    if arrow.y1 == arrow.y2:
        return (x, y), (x - POINT, y - half), (x - POINT, y + half)
    return (x, y), (x - half, y - POINT), (x + half, y - POINT)


def _draw(shape: Shape, canvas: Canvas) -> None:
    match shape:
        case Box(x, y, width, height, fill, edge):
            canvas.fill(x, y, width, height, fill)
            for down in (y, y + height):
                canvas.line(x - EDGE / 2, down - EDGE / 2, width + EDGE, EDGE, edge)
            for right in (x, x + width):
                canvas.line(right - EDGE / 2, y + EDGE / 2, EDGE, height - EDGE, edge)
        case Arrow(x1, y1, x2, y2, has_point):
            across, down = (0.0, EDGE) if y1 == y2 else (EDGE, 0.0)
            left, top = min(x1, x2) - across / 2, min(y1, y2) - down / 2
            canvas.line(left, top, abs(x2 - x1) + across, abs(y2 - y1) + down, INK)
            if has_point:
                canvas.triangle(_point(shape), INK)
        case Text():
            _write(shape, canvas)


def _write(text: Text, canvas: Canvas) -> None:
    font = _font(text.is_bold)
    font.set_size(text.size, 72 * canvas.scale)
    with _silence():
        font.set_text(text.text, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    ink = np.asarray(font.get_image()) / np.float32(255)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * font.get_width_height()[0]
    left = text.x * canvas.scale + (font.get_bitmap_offset()[0] - before) / 64
    top = text.y * canvas.scale - ink.shape[0] + font.get_descent() / 64
    canvas.put(ink, round(left), round(top), text.color)


def bare_png(data: bytes) -> bytes:
    """A PNG with its critical chunks alone: no text, no time, no resolution."""
    kept = [chunk for name, chunk in png_chunks(data) if name in CRITICAL]
    return PNG_SIGNATURE + b"".join(kept)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of every chunk of a PNG. Raises ``ValueError`` where it is none, or more follows its end."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError("no PNG")
    at = len(PNG_SIGNATURE)
    name = b""
    while at < len(data) and name != b"IEND":
        if at + 12 > len(data):
            raise ValueError("a chunk is cut")
        length = struct.unpack(">I", data[at : at + 4])[0]
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise ValueError("a chunk is cut")
        yield name, data[at:end]
        at = end
    if name != b"IEND" or at != len(data):
        raise ValueError("the image has no end, or something follows it")


def wrapped(text: str, width: float, size: float, *, is_bold: bool = False) -> list[str]:
    """The text in lines not wider than ``width`` points; a word that is too long is parted."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size, is_bold=is_bold) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and width_of(lines[-1] + letter, size, is_bold=is_bold) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def width_of(text: str, size: float, *, is_bold: bool = False) -> float:
    """The width of a line of text in points: that of its letters one by one, which pairs may fall short of."""
    return size * sum(_width_of_letter(letter, is_bold) for letter in text)


@cache
def _width_of_letter(letter: str, is_bold: bool) -> float:
    """As a part of the font's size."""
    font = _font(is_bold)
    font.set_size(UNIT, 72)
    if glyph := font.get_char_index(ord(letter)):
        return font.load_glyph(glyph).linearHoriAdvance / 65536 / UNIT
    with _silence():
        font.set_text(letter, 0.0)  # a box in the place of the letter
    return font.get_width_height()[0] / 64 / UNIT


@cache
def _font(is_bold: bool) -> FT2Font:
    """The font that matplotlib brings along: the one of the system may be another edition."""
    import matplotlib
    from matplotlib.font_manager import get_font

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it makes a list of the system's fonts once
    file = "DejaVuSans-Bold.ttf" if is_bold else "DejaVuSans.ttf"
    return get_font(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / file)


def _silence() -> warnings.catch_warnings[None]:
    """Letters that the font lacks are drawn as boxes in the PNG and stand as they are in the SVG: nobody need hear."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
