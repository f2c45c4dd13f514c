"""The search for identifiers in what is written: by whole words in texts, by their bytes in everything else.

How a text parts or joins a form, and how it writes a day, is read in the text: a form for each way would be too many.

Bytes are searched in one pass for all forms together, by an Aho-Corasick automaton over a lower-case copy
(``docs/decisions/0012-known-identifiers.md``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation
from numpy.typing import NDArray

from trialbids.mappings.identifiers import identifier_rules

from .forms import LEAST_DIGITS, LEAST_LITERAL, RUN, WORD, fold, spoken, uids_in, words

MOST_PIECES = 4
"""Into no more runs of letters or digits than this may a text have parted one word of a form."""

LEAST_PARTED, LEAST_PIECE = 6, 4
"""Letters and digits of a word that is found parted, and of the longest of its pieces where all are letters."""

MOST_DENSE = 20_000
"""More patterns than this are always held in a form that is half as fast, and far smaller."""

DENSE_AFTER = 100_000_000
"""After so many bytes the dense form, which takes four times as long to make, has paid for itself."""

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

    ``shared`` is searched in texts too: what is the same for all subjects is made once. ``unsearched`` counts, by kind
    and reason, the identifiers that are too short or too common.
    """

    words: Mapping[str, str] = field(repr=False)
    uids: Mapping[str, str] = field(repr=False)
    literals: tuple[tuple[str, str], ...] = field(repr=False)
    unsearched: tuple[tuple[str, str, int], ...] = ()
    shared: Searcher | None = field(default=None, repr=False)
    heads: Mapping[str, int] = field(init=False, repr=False)
    """The first words of the forms of several words, with how many words the longest has."""

    def __post_init__(self) -> None:
        heads: dict[str, int] = {}
        for phrase in self.words:
            first, space, rest = phrase.partition(" ")
            if space:
                heads[first] = max(heads.get(first, 0), rest.count(" ") + 2)
        object.__setattr__(self, "heads", heads)

    def in_text(self, text: str) -> tuple[Hit, ...]:
        """The forms that stand in a text as whole words, in a row or parted, and the days in any usual writing."""
        if not text:
            return ()
        return tuple(self._in_folded(_Read(fold(text))).values())

    def _in_folded(self, read: _Read) -> dict[str, Hit]:
        found = self.shared._in_folded(read) if self.shared else {}
        forms = self.words
        if forms:
            for tokens in (read.words, read.runs) if read.words != read.runs else (read.words,):
                for form in self._phrases(tokens):
                    found[form] = Hit(forms[form], form)
            for form in (*read.parted(forms), *(day for day in read.days if day in forms)):
                found[form] = Hit(forms[form], form)
        if self.uids:
            found.update((uid, Hit(self.uids[uid], uid)) for uid in uids_in(read.text) if uid in self.uids)
        return found

    def _phrases(self, tokens: Sequence[str]) -> Iterator[str]:
        """The forms that are one of these words, or several in a row."""
        forms, heads = self.words, self.heads
        yield from filter(forms.__contains__, tokens)
        for start in [at for at, token in enumerate(tokens) if token in heads]:
            phrase = tokens[start]
            for token in tokens[start + 1 : start + heads[phrase]]:
                phrase = f"{phrase} {token}"
                if phrase in forms:
                    yield phrase

    def in_number(self, number: str) -> tuple[Hit, ...]:
        """A number as it is written: only forms of eight digits and more count, shorter ones are any number's."""
        own = tuple(
            Hit(kind, digits)
            for digits in words(number)
            if digits.isdigit() and len(digits) >= LEAST_LITERAL and (kind := self.words.get(digits))
        )
        return (*own, *(self.shared.in_number(number) if self.shared else ()))

    def in_bytes(self, data: bytes | memoryview, offset: int = 0) -> tuple[Hit, ...]:
        """The literals that stand in bytes, in any letter case, as UTF-8, Latin-1 or UTF-16 of either order."""
        return _machine(self.literals).find(data, offset)

    @property
    def longest(self) -> int:
        """Bytes of the longest pattern: how far two pieces of one stream must overlap."""
        return _machine(self.literals).longest


class _Read:
    """A folded text, taken apart once for all searchers: its words, its runs of letters or digits, its days."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words: list[str] = WORD.findall(text)
        self.runs: list[str] = RUN.findall(text)
        self.days = frozenset(_days(text, self.runs))

    def parted(self, forms: Container[str]) -> set[str]:
        """The forms of one word that stand in the text in pieces."""
        found: set[str] = set()
        for n in range(2, MOST_PIECES + 1):
            rows = [islice(self.runs, k, None) for k in range(n)]
            joined = list(map("".join, zip(*rows, strict=False)))
            if likely := set(filter(forms.__contains__, joined)):
                found.update(f for at, f in enumerate(joined) if f in likely and f not in found and self._is_one(at, n))
        return found

    @cached_property
    def _gaps(self) -> list[str]:
        """What stands before each run, and after the last."""
        return RUN.split(self.text)

    def _is_one(self, at: int, n: int) -> bool:
        """Are these runs pieces of one word, with no more than a sign or a space between them?"""
        pieces, gaps = self.runs[at : at + n], self._gaps[at + 1 : at + n]
        if not all(map(_GAP.fullmatch, gaps)) or any(
            gap == "-" and piece in identifier_rules().entities for piece, gap in zip(pieces, gaps, strict=False)
        ):
            return False
        letters = "".join(pieces)
        if letters.isdigit():
            is_long = len(letters) >= LEAST_LITERAL or (len(letters) >= LEAST_DIGITS and set(gaps) <= _TIES)
            is_decimal = gaps == ["."] or self._hangs(at, n)
            return is_long and not is_decimal
        is_name = letters.isalpha()
        return len(letters) >= LEAST_PARTED and (not is_name or max(map(len, pieces)) >= LEAST_PIECE)

    def _hangs(self, at: int, n: int) -> bool:
        """Does a point tie more digits to these runs? Then they are pieces of a UID or of a number."""
        beside = [
            (self._gaps[place], self.runs[run]) for place, run in ((at, at - 1), (at + n, at + n)) if self._has(run)
        ]
        return any(gap == "." and run.isdigit() for gap, run in beside)

    def _has(self, run: int) -> bool:
        return 0 <= run < len(self.runs)


_GAP = re.compile(r" ?[-_./^+'\u2019\u2010-\u2015\u2212]? ?")
_TIES = frozenset("-_/")

_APART = r"[\W_年月日년월일]{1,3}"
_LONG_DAY = re.compile(
    rf"(?<!\d)(?=((?:19|20)\d\d){_APART}(\d\d?){_APART}(\d\d?)(?!\d)"
    rf"|(\d\d?){_APART}(\d\d?){_APART}((?:19|20)\d\d)(?!\d))"
)
_SHORT_DAY = re.compile(r"(?<![\d.])(?<!v)(\d\d?)([./-]) ?(\d\d?)\2 ?(\d\d)(?!\d|[./-]\d)")
"""Two digits of a year: only with one sign that dates have, so that no row of numbers is read as a day."""


def _days(text: str, runs: Sequence[str]) -> Iterator[str]:
    """Every day that a folded text may mean, as ``spoken``: both orders of day and month, both centuries of a short
    year. Not all of them are days of a calendar.
    """
    for found in _LONG_DAY.finditer(text):
        year, month, day, one, other, last = found.groups()
        yield from _read_day(year, month, day) if year else _either(last, one, other)
    for found in _SHORT_DAY.finditer(text):
        first, _, middle, last = found.groups()
        yield from (*_either(last, first, middle), *_read_day(first, middle, last))
    months = identifier_rules().months
    if months.keys().isdisjoint(runs):
        return
    for at in [at for at, run in enumerate(runs) if run in months]:
        yield from _named_days(runs, at, months[runs[at]])


def _named_days(runs: Sequence[str], at: int, month: int) -> Iterator[str]:
    """The days that a name of a month makes with the numbers beside it."""
    fillers = identifier_rules().fillers
    before = [run for run in runs[max(0, at - 3) : at] if run not in fillers][-1:]
    after = [run for run in runs[at + 1 : at + 7] if run not in fillers][:2]
    if after:
        for day in before:
            yield from (*_read_day(after[0], str(month), day), *_read_day(day, str(month), after[0]))
        if len(after) == 2:
            yield from _read_day(after[1], str(month), after[0])


def _either(year: str, one: str, other: str) -> Iterator[str]:
    yield from (*_read_day(year, one, other), *_read_day(year, other, one))


def _read_day(year: str, month: str, day: str) -> Iterator[str]:
    """The days of these numbers: two where the year has two digits."""
    if year.isdigit() and day.isdigit() and len(year) in (2, 4) and len(day) <= 2:
        for century in ("19", "20") if len(year) == 2 else ("",):
            yield spoken(century + year, month, day)


def patterns_of(literal: str) -> Iterator[bytes]:
    """The bytes of a lower-case literal, ASCII letters in lower case, others in both.

    >>> sorted(patterns_of("doe^john"))[0]
    b'\\x00d\\x00o\\x00e\\x00^\\x00j\\x00o\\x00h\\x00n'
    """
    for text in dict.fromkeys((literal, literal.upper())):
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            try:
                yield text.encode(encoding).lower()
            except UnicodeEncodeError:
                continue  # no text of this encoding can hold it


class _Machine:
    """The automaton of some literals: one that is made fast, and after some reading one that reads fast."""

    def __init__(self, literals: Iterable[tuple[str, str]]) -> None:
        patterns = {p: (kind, form) for form, kind in literals for p in patterns_of(form) if len(p) >= LEAST_LITERAL}
        self.longest = max(map(len, patterns), default=0)
        self._patterns, self._said = list(patterns), list(patterns.values())
        self._left = DENSE_AFTER if len(patterns) <= MOST_DENSE else math.inf
        self._automaton = BytesAhoCorasick(self._patterns, implementation=Implementation.ContiguousNFA)

    def find(self, data: bytes | memoryview, offset: int) -> tuple[Hit, ...]:
        if not self._patterns:
            return ()
        self._left -= len(data)
        if self._left < 0:
            self._automaton = BytesAhoCorasick(self._patterns, implementation=Implementation.DFA)
            self._left = math.inf
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
