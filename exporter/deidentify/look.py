"""What all looks into one released file share: the leak that they name, and the search of its texts and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from .search import Hit, Searcher
from .shapes import Rules, foreign_uids

TEXT_BYTES = 64 * 1024 * 1024
"""No text of a tree is longer; what is, is not read and is a leak."""


MOST_DIGITS = 64
"""No identifier is a longer number."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something in a file that may not be there. ``value`` and ``form`` are private; ``kind`` and ``path`` are not.

    ``kind`` is one of ``identifiers.yaml`` or of the file's form: unknown-file, not-a-file, unknown-key, odd-value,
    odd-header, odd-bytes, unreadable, foreign-uid, unknown-text. ``place`` says where in the file: a key, a line, a
    byte.
    """

    path: str
    place: str
    kind: str
    form: str = field(default="", repr=False)
    value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Look:
    """What all looks into one file share."""

    relative: str
    searcher: Searcher
    rules: Rules
    root: Path

    def leak(self, place: str, hit: Hit) -> Leak:
        return Leak(self.relative, place, hit.kind, hit.form)

    def odd(self, place: str, kind: str, value: object = "") -> Leak:
        return Leak(self.relative, place, kind, value=str(value)[:256])

    def text(self, place: str, text: str) -> Iterator[Leak]:
        for hit in self.searcher.in_text(text):
            yield Leak(self.relative, place, hit.kind, hit.form, text[:256])
        for uid in foreign_uids(text):
            yield self.odd(place, "foreign-uid", uid)

    def number(self, place: str, value: object) -> Iterator[Leak]:
        """A number as it is written, and as its digits where it is written with an exponent."""
        written = str(value)
        for hit in dict.fromkeys(h for text in _spellings(written) for h in self.searcher.in_number(text)):
            yield self.leak(place, hit)

    def read(self, path: Path) -> bytes:
        if path.stat().st_size > TEXT_BYTES:
            raise ValueError("too long for a text")
        return path.read_bytes()


def _spellings(written: str) -> Iterator[str]:
    yield written
    if "e" in written.lower():
        try:
            number = Decimal(written)
        except InvalidOperation:
            return
        if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS:
            yield f"{number:f}"


def texts_in(value: Any) -> Iterator[str]:
    """Every key, text and number of what JSON holds."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from texts_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_in(entry)
    else:
        yield str(value)
