"""From one identifier all its written forms: as words of a text, and as strings that may stand in any bytes.

A text is read as words: accents, case and separators do not count, so that ``DOE^JOHN``, ``Doe, John`` and ``doe_john``
are one form of two words. Only what words cannot tell (order, initials, transliteration, order of a date's numbers) is
a form of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, permutations

LEAST_CHARACTERS = 4
"""Letters and digits that a form must have; a letter of a script without case (CJK, Hangul) counts as two."""

LEAST_DIGITS = 6
"""The same for a form of digits alone; one of several numbers needs eight, unless one of them is a year."""

LEAST_LITERAL = 8
"""Characters of a form that is searched for in bytes: shorter strings stand in random voxels by chance."""

LEAST_GIVEN = 5
"""Letters of a given name that is searched for alone."""

LEAST_DISTINCT = 4
"""Distinct characters of a form that is searched for in bytes: flat and ramping voxels are no text."""

MOST_NAMES = 4
"""More words than this are searched for in the orders in which they stand, not in every order."""

FIRST_YEAR = 1901
"""Dates before are placeholders (19000101, 00010101) or have been moved."""

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_SPELT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "þ": "th", "ð": "dh", "ñ": "ny"}
)
_STRIPPED = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "ħ": "h"})
_WORD = re.compile(r"[^\W_]+")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_UID = re.compile(r"\d+(?:\.\d+){3,}")
_SEPARATORS = {
    "name": (" ", "^", "_", "-", ".", ",", ", ", ""),
    "id": (" ", "_", "-", ".", "/", ""),
    "date": (" ", "-", ".", "/", ""),
    "text": (" ", "_", "-", ", ", ""),
}
"""What may stand between the words of a form in bytes."""

_PARTS = re.compile(r"[,;^/()=\n]+")


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one identifier.

    ``words`` are for texts: words parted by one space, folded. ``literals`` are for bytes, lower-case. ``uids`` are
    exact. All three are empty where the identifier is too short to be searched for.
    """

    words: frozenset[str] = frozenset()
    literals: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.words or self.literals or self.uids)


def fold(text: str) -> str:
    """Text without case, accents and compatibility forms.

    >>> fold("Mu\u0308ller-Lüdenscheidt, STRAẞE")
    'muller-ludenscheidt, strasse'
    """
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_STRIPPED)
    return "".join(c for c in bare if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """The words of a text, folded.

    >>> words("sub-DOE^John_01.nii")
    ['sub', 'doe', 'john', '01', 'nii']
    """
    return _WORD.findall(fold(text))


def runs(text: str) -> list[str]:
    """The words of a text, parted also where letters meet digits.

    >>> runs("JohnDoe2")
    ['johndoe', '2']
    """
    return _RUNS.findall(fold(text))


def uids_in(text: str) -> list[str]:
    """What looks like a UID in a text."""
    return _UID.findall(text)


def forms_of(form: str, value: str) -> Forms:
    """All forms of a value, by the form of its kind (``mappings/identifiers.yaml``: name, id, date, text, uid).

    >>> sorted(forms_of("name", "Doe^Jo").words)
    ['doe jo', 'doejo', 'jdoe', 'jo doe', 'jodoe']
    """
    if form == "uid":
        exact = value.strip()
        return Forms(literals=_literals([exact]), uids=frozenset([exact])) if len(exact) >= LEAST_LITERAL else Forms()
    composed = unicodedata.normalize("NFC", value).lower()
    spellings = dict.fromkeys((composed, fold(value), composed.translate(_SPELT)))
    sequences = dict.fromkeys(found for s in spellings for found in _MAKERS[form](s))
    if not any(map(_is_enough, sequences)):
        return Forms()
    joined = (separator.join(w) for w in sequences for separator in _SEPARATORS[form])
    return Forms(
        words=frozenset(fold(" ".join(w)) for w in sequences if _is_enough(w)),
        literals=_literals(joined if form == "date" else (*spellings, *joined)),
    )


def _is_enough(sequence: tuple[str, ...]) -> bool:
    """Is a sequence of words long enough to be told from chance?"""
    joined = "".join(sequence)
    if joined.isdigit():
        is_plain = len(sequence) == 1 or any(len(word) == len("YYYY") for word in sequence)
        return len(joined) >= (LEAST_DIGITS if is_plain else LEAST_LITERAL)
    return sum(1 + (c.isalpha() and c.lower() == c.upper()) for c in joined) >= LEAST_CHARACTERS


def _literals(texts: Iterable[str]) -> frozenset[str]:
    """Strings for bytes: long enough, and not so even that voxels would spell them."""
    lowered = {text.strip().lower() for text in texts}
    return frozenset(t for t in lowered if len(t) >= LEAST_LITERAL and len(set(t)) >= LEAST_DISTINCT and not _ramps(t))


def _ramps(text: str) -> bool:
    """Does every character follow the one before at the same distance, as in 12345678?"""
    return len({ord(b) - ord(a) for a, b in pairwise(text)}) == 1


def _with_run_together(sequence: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield sequence
    if len(sequence) > 1:
        yield ("".join(sequence),)


def _name(text: str) -> Iterator[tuple[str, ...]]:
    """A person's name (PS3.5 6.2: Family^Given^Middle^Prefix^Suffix, groups parted by ``=``), or as it was typed."""
    for group in text.split("="):
        if "^" in group:
            components = [_WORD.findall(c) for c in group.split("^")]
            families, givens = components[0], [w for c in components[1:3] for w in c]
        elif "," in group:
            before, _, after = group.partition(",")
            families, givens = _WORD.findall(before), _WORD.findall(after)
        else:
            yield from _unordered(_WORD.findall(group))
            continue
        yield from _ordered(families, givens)


def _ordered(families: list[str], givens: list[str]) -> Iterator[tuple[str, ...]]:
    """The forms of a name of which the parts are known."""
    family, given = tuple(families), tuple(givens)
    for alone in families:
        yield (alone,)
    yield from _with_run_together(family)
    for word in given:
        if len(word) >= LEAST_GIVEN:
            yield (word,)
    if not family or not given:
        yield from _with_run_together(given)
        return
    initials = tuple(word[0] for word in given)
    for front in dict.fromkeys((given, given[:1], initials, initials[:1], ("".join(initials),))):
        for ordered in (family + front, front + family):
            yield from _with_run_together(ordered)


def _unordered(typed: list[str]) -> Iterator[tuple[str, ...]]:
    """The forms of a name of which nobody knows what is what: every order, every word alone."""
    for word in typed:
        if len(word) >= LEAST_GIVEN or len(typed) == 1:
            yield (word,)
    sequence = tuple(typed)
    orders = permutations(sequence) if len(sequence) <= MOST_NAMES else iter((sequence, sequence[::-1]))
    for order in orders:
        yield from _with_run_together(order)
    for at, family in enumerate(sequence):
        initials = tuple(w[0] for n, w in enumerate(sequence) if n != at)
        if initials and len(family) > 3:
            yield from (
                (family, *initials),
                (*initials, family),
                ("".join(initials) + family,),
                (family + "".join(initials),),
            )


def _identifier(text: str) -> Iterator[tuple[str, ...]]:
    """An id as it is, run together, its digits alone, and without leading zeros."""
    parts = tuple(_WORD.findall(text))
    if not parts:
        return
    yield from _with_run_together(parts)
    joined = "".join(parts)
    digits = "".join(c for c in joined if c.isdigit())
    for number in (joined, digits):
        if number.isdigit():
            yield (number,)
            yield (number.lstrip("0"),)
    yield ("".join(part.lstrip("0") if part.isdigit() else part for part in parts),)


def _phrase(text: str) -> Iterator[tuple[str, ...]]:
    """An address, an institution, a telephone number: the whole, each part of it, its digits where it is a number."""
    for part in dict.fromkeys((text, *_PARTS.split(text))):
        if found := tuple(_WORD.findall(part)):
            yield from _with_run_together(found)
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) >= LEAST_DIGITS and len(digits) * 2 > sum(c.isalnum() for c in text):
        yield (digits,)
        yield (digits.lstrip("0"),)


def _date(text: str) -> Iterator[tuple[str, ...]]:
    """A day in eight formats, in both orders of its numbers."""
    day = _day(text)
    if day is None:
        return
    y, m, d = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    for order in ((y, m, d), (d, m, y), (m, d, y)):
        yield from _with_run_together(order)
    for short in (d + m + y[2:], y[2:] + m + d, m + d + y[2:]):
        yield (short,)
    month = _MONTHS[day.month - 1]
    for name in dict.fromkeys((month, month[:3])):
        for number in dict.fromkeys((d, str(day.day))):
            for order in ((number, name, y), (name, number, y)):
                yield from _with_run_together(order)
    if (str(day.day), str(day.month)) != (d, m):
        for order in (
            (str(day.day), str(day.month), y),
            (str(day.month), str(day.day), y),
            (y, str(day.month), str(day.day)),
        ):
            yield order


def _day(text: str) -> date | None:
    digits = "".join(c for c in text[:10] if c.isdigit())[:8]
    if len(digits) != 8:
        return None
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if day.year >= FIRST_YEAR else None


_MAKERS = {"name": _name, "id": _identifier, "date": _date, "text": _phrase}
