"""The search for identifiers in what is written: by whole words in texts, by their bytes in everything else.

Bytes are searched in one pass for all forms together, by an Aho-Corasick automaton over a lower-case copy
(``docs/decisions/0012-known-identifiers.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation
from numpy.typing import NDArray

from .forms import LEAST_LITERAL, fold, runs, uids_in, words

MOST_DENSE = 20_000
"""More patterns than this are held in a form that is half as fast, and far smaller."""

WINDOW_BYTES = 32 * 1024
LIKELY = 0.01
"""A form that voxels like those around it would spell this often by chance in the file is none that somebody wrote."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An identifier that stands somewhere: its kind, the form in which it was found and where. Private."""

    kind: str
    form: str = field(repr=False)
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Searcher:
    """What is searched for: folded words and exact UIDs in texts, literals (lower-case) in bytes, each with its kind.

    ``unsearched`` counts by kind and reason the identifiers that are too short or too common.
    """

    words: Mapping[str, str] = field(repr=False)
    uids: Mapping[str, str] = field(repr=False)
    literals: tuple[tuple[str, str], ...] = field(repr=False)
    unsearched: tuple[tuple[str, str, int], ...] = ()

    def in_text(self, text: str) -> tuple[Hit, ...]:
        """The forms that stand in a text as whole words, in a row."""
        if not text:
            return ()
        most = _longest(self)
        found: dict[str, Hit] = {}
        whole = words(text)
        for tokens in (whole, parted) if (parted := runs(text)) != whole else (whole,):
            for start in range(len(tokens)):
                phrase = ""
                for token in tokens[start : start + most]:
                    phrase = f"{phrase} {token}" if phrase else token
                    if kind := self.words.get(phrase):
                        found[phrase] = Hit(kind, phrase)
        for uid in uids_in(text):
            if kind := self.uids.get(uid):
                found[uid] = Hit(kind, uid)
        return tuple(found.values())

    def in_number(self, number: str) -> tuple[Hit, ...]:
        """A number as it is written: only forms of eight digits and more count, shorter ones are any number's."""
        return tuple(
            Hit(kind, digits)
            for digits in words(number)
            if digits.isdigit() and len(digits) >= LEAST_LITERAL and (kind := self.words.get(digits))
        )

    def in_bytes(self, data: bytes | memoryview, offset: int = 0) -> tuple[Hit, ...]:
        """The literals that stand in bytes, in any letter case, as UTF-8, Latin-1 or UTF-16 of either order."""
        return _machine(self.literals).find(data, offset)

    @property
    def longest(self) -> int:
        """Bytes of the longest pattern: how far two pieces of one stream must overlap."""
        return _machine(self.literals).longest


_LONGEST: dict[int, tuple[Searcher, int]] = {}


def _longest(searcher: Searcher) -> int:
    """The most words of a form, counted once for the searcher in use."""
    known = _LONGEST.get(id(searcher))
    if known is None or known[0] is not searcher:
        _LONGEST.clear()
        known = _LONGEST[id(searcher)] = searcher, max((f.count(" ") + 1 for f in searcher.words), default=0)
    return known[1]


def patterns_of(literal: str) -> Iterator[bytes]:
    """The bytes of a lower-case literal, ASCII letters in lower case, others in both.

    >>> sorted(patterns_of("doe^john"))[0]
    b'd\\x00o\\x00e\\x00^\\x00j\\x00o\\x00h\\x00n\\x00'
    """
    for text in dict.fromkeys((literal, literal.upper())):
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            try:
                yield text.encode(encoding).lower()
            except UnicodeEncodeError:
                continue  # no text of this encoding can hold it


class _Machine:
    """The automaton of some literals."""

    def __init__(self, literals: Iterable[tuple[str, str]]) -> None:
        patterns = {p: (kind, form) for form, kind in literals for p in patterns_of(form) if len(p) >= LEAST_LITERAL}
        self.longest = max(map(len, patterns), default=0)
        self._said = list(patterns.values())
        kind = Implementation.DFA if len(patterns) <= MOST_DENSE else Implementation.ContiguousNFA
        self._automaton = BytesAhoCorasick(list(patterns), implementation=kind) if patterns else None

    def find(self, data: bytes | memoryview, offset: int) -> tuple[Hit, ...]:
        if self._automaton is None:
            return ()
        found = self._automaton.find_matches_as_indexes(bytes(data).lower(), overlapping=True)
        return tuple(dict.fromkeys(Hit(*self._said[number], offset + begin) for number, begin, _ in found))


@lru_cache(maxsize=4)
def _machine(literals: tuple[tuple[str, str], ...]) -> _Machine:
    return _Machine(literals)


def is_likely(form: str, octets: NDArray[np.uint8], at: int, total: int) -> bool:
    """Would voxels like those around spell the form by chance?

    The expected number of times is the product of the shares of its bytes within 32 KB of the place (twice the share,
    since half the bytes of a low-valued voxel of 16 bits are zero), times the number of places in the file (``total``
    bytes). A form is a few dozen bytes of these, so that what was really written there does not make itself likely.
    """
    near = octets[max(0, at - WINDOW_BYTES) : at + WINDOW_BYTES]
    shares = np.bincount(near, minlength=256) / len(near)
    expected = float(total)
    for byte in fold(form).encode():
        expected *= 2 * float(shares[byte] + (shares[byte - 32] if 97 <= byte <= 122 else 0))
    return expected > LIKELY
