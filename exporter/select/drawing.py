"""Boxes, lines and texts on one page, as SVG and PNG: the same drawing gives the same bytes.

The SVG is written here, one element a line, and not by matplotlib: it leaves with the release, where every file must
have a closed form that an inspection can hold it to, and its texts must stand in it as text.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"
FONTS = f"{FONT}, Verdana, Arial, sans-serif"
PNG_DPI = 150
MOST_PIXELS = 30_000
"""A page is not drawn higher; above that its resolution falls."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
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
        """The drawing as PNG, drawn by matplotlib, without a word about who drew it and when."""
        _face(is_bold=False)
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        dpi = min(PNG_DPI, MOST_PIXELS * 72 / max(self.width, self.height))
        with rc_context({"text.usetex": False, "savefig.bbox": None}):
            figure = Figure((self.width / 72, self.height / 72), dpi=dpi, facecolor="white")
            FigureCanvasAgg(figure)
            axes = figure.add_axes((0, 0, 1, 1))
            axes.set(xlim=(0, self.width), ylim=(self.height, 0))
            axes.axis("off")
            for depth, shape in enumerate(self.shapes):
                _draw(shape, axes, depth)
            buffer = io.BytesIO()
            with _silence():
                figure.savefig(buffer, format="png", dpi=dpi)
        return bare_png(buffer.getvalue())


def _svg(shape: Shape) -> Iterator[str]:
    match shape:
        case Box(x, y, width, height, fill, edge):
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<rect {place} fill="{fill}" stroke="{edge}" stroke-width="0.8"/>'
        case Arrow(x1, y1, x2, y2, has_point):
            yield f'<path d="M {x1:.1f} {y1:.1f} L {x2:.1f} {y2:.1f}" stroke="{INK}" stroke-width="0.8"/>'
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


def _draw(shape: Shape, axes: Axes, depth: int) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Polygon, Rectangle

    match shape:
        case Box(x, y, width, height, fill, edge):
            axes.add_patch(
                Rectangle((x, y), width, height, facecolor=fill, edgecolor=edge, linewidth=0.8, zorder=depth)
            )
        case Arrow(x1, y1, x2, y2, has_point):
            axes.plot([x1, x2], [y1, y2], color=INK, linewidth=0.8, solid_capstyle="butt", zorder=depth)
            if has_point:
                axes.add_patch(Polygon(_point(shape), closed=True, facecolor=INK, linewidth=0, zorder=depth))
        case Text(x, y, text, size, is_bold, color, anchor):
            align = {"start": "left", "middle": "center", "end": "right"}[anchor]
            letters = FontProperties(fname=_face(is_bold=is_bold), size=size)
            style = {"fontproperties": letters, "color": color, "zorder": depth}
            axes.text(x, y, text, ha=align, va="baseline", parse_math=False, **style)


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
    """The width of a line of text in points."""
    font = _font(is_bold)
    font.set_size(size, 72)
    with _silence():
        font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64


@cache
def _font(is_bold: bool) -> FT2Font:
    from matplotlib.font_manager import get_font

    return get_font(_face(is_bold=is_bold))


@cache
def _face(*, is_bold: bool) -> Path:
    """The font file that matplotlib brings along: the one of the system may be another edition."""
    import matplotlib

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it makes a list of the system's fonts once
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / ("DejaVuSans-Bold.ttf" if is_bold else "DejaVuSans.ttf")


def _silence() -> warnings.catch_warnings[None]:
    """Letters that the font lacks are drawn as boxes in the PNG and stand as they are in the SVG: nobody need hear."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
