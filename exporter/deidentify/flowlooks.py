"""The inspection of a released flow: its table, drawing and picture say what ``flow.json`` says."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from html import unescape
from pathlib import Path

from ..select.drawing import CRITICAL, FONTS, png_chunks
from ..select.flow import ALL_SITES, CRITERION, LEVELS, MILESTONE, OWN_STEPS, TOOL
from . import prose, shapes
from .look import Leak, Look, texts_in

KINDS = (MILESTONE, TOOL, CRITERION)
AFTER = ("plan", "conversion")
ASKS = ("include", "exclude")
COUNT = re.compile(r"\d{1,9}")

_N = r"-?\d{1,6}\.\d"
_COLOR = "#[0-9a-f]{6}"
_FORMS = (
    re.compile(
        r'<svg xmlns="http://www\.w3\.org/2000/svg" width="\d{1,6}pt" height="\d{1,6}pt" '
        rf'viewBox="0 0 \d{{1,6}} \d{{1,6}}" font-family="{re.escape(FONTS)}">'
    ),
    re.compile(r'<rect x="0" y="0" width="\d{1,6}" height="\d{1,6}" fill="#ffffff"/>'),
    re.compile(
        rf'<rect x="{_N}" y="{_N}" width="{_N}" height="{_N}" fill="{_COLOR}" stroke="{_COLOR}" stroke-width="0\.8"/>'
    ),
    re.compile(rf'<path d="M {_N} {_N} L {_N} {_N}" stroke="{_COLOR}" stroke-width="0\.8"/>'),
    re.compile(rf'<path d="M {_N} {_N} L {_N} {_N} L {_N} {_N} Z" fill="{_COLOR}"/>'),
    re.compile(
        rf'<text x="{_N}" y="{_N}" font-size="{_N}"( font-weight="bold")? fill="{_COLOR}" '
        r'text-anchor="(?:start|middle|end)">(?P<text>[^<>]*)</text>'
    ),
    re.compile("</svg>|"),
)
"""Every line that :mod:`..select.drawing` writes."""


def is_step(value: object, criteria: Mapping[str, str]) -> bool:
    """Is this the id of a step of ours, or of one of the trial's criteria?"""
    return value in OWN_STEPS or value in criteria


def is_sentence(value: object, criteria: Mapping[str, str]) -> bool:
    """Is this a sentence of ours, or of one of the trial's criteria?"""
    return value in ("", *criteria.values()) or prose.is_said(value, prose.FLOW)


def is_flow_cell(column: str, cell: str, criteria: Mapping[str, str]) -> bool:
    """Has a cell of ``flow.tsv`` the form of its column?"""
    match column:
        case "step":
            return is_step(cell, criteria)
        case "kind":
            return cell in KINDS
        case "level":
            return cell in LEVELS
        case "asks":
            return cell in ASKS
        case "site":
            return cell == ALL_SITES or shapes.LABEL.fullmatch(cell) is not None
        case "sentence":
            return is_sentence(cell, criteria)
        case _:
            return COUNT.fullmatch(cell) is not None


def look_into_drawing(look: Look, path: Path) -> Iterator[Leak]:
    """The SVG: lines of known form, whose texts are words of the flow."""
    texts: list[str] = []
    for number, line in enumerate(look.read(path).decode("utf-8").split("\n"), start=1):
        found = next((match for form in _FORMS if (match := form.fullmatch(line))), None)
        if found is None:
            yield look.odd(f"line {number}", "unknown-text", line)
            texts.append(line)
        elif "text" in found.re.groupindex:
            texts.append(unescape(found["text"]))
    for word in dict.fromkeys(prose.strange_words(texts, _said(look), prose.FLOW)):
        yield look.odd("text", "unknown-text", word)
    yield from look.text("text", "\n".join(texts))
    yield from look.text("text", " ".join(texts))  # a sentence runs over several lines


def _said(look: Look) -> list[str]:
    """Every text of the flow that is drawn, and the trial's name; both are judged where they stand."""
    found: list[str] = []
    for name in ("curation/flow.json", "dataset_description.json"):
        try:
            found += texts_in(json.loads((look.root / name).read_bytes()))
        except (OSError, ValueError):
            continue
    return found


def look_into_picture(look: Look, path: Path) -> Iterator[Leak]:
    """The PNG: the chunks that hold the image, of just its size, and none that could hold more.

    Raises ``ValueError`` where it is none.
    """
    data = look.read(path)
    chunks = list(png_chunks(data))
    for name, _ in chunks:
        if name not in CRITICAL:
            yield look.odd("chunk", "odd-header", name.decode("latin-1"))
    if not _is_just_the_image([(name, chunk[8:-4]) for name, chunk in chunks]):
        yield look.odd("IDAT", "odd-bytes")
    for hit in look.searcher.in_bytes(data):
        yield look.leak(f"byte {hit.offset}", hit)


def _is_just_the_image(chunks: Collection[tuple[bytes, bytes]]) -> bool:
    """Whether the packed rows are as many bytes as the head says, with nothing behind them (PNG, section 11.2.4)."""
    heads = [content for name, content in chunks if name == b"IHDR"]
    if len(heads) != 1 or len(heads[0]) != 13:
        return False
    width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", heads[0])
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 0)
    wanted = height * (1 + (width * samples * depth + 7) // 8)
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(b"".join(c for name, c in chunks if name == b"IDAT"), wanted + 1)
    except zlib.error:
        return False
    return not interlace and len(rows) == wanted and unpacker.eof and not unpacker.unused_data
