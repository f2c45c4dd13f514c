"""From one identifier all its written forms: as words of a text, and as strings that may stand in any bytes.

A text is read as words: accents, case and separators do not count, so that ``DOE^JOHN``, ``Doe, John`` and ``doe_john``
are one form of two words. Only what words cannot tell (order, initials, transliteration) is a form of its own: how a
text writes a day, or parts what is one word, is read in the text (``search.py``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Set
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

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_SPELT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "þ": "th", "ð": "dh", "ñ": "ny"}
)
_STRIPPED = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "ħ": "h"})
_UNSEEN = dict.fromkeys(
    (0, 0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
     *range(0xFE00, 0xFE10), 0xFEFF)
)  # fmt: skip
"""Characters that are not seen: zero width, soft hyphens, directions, joiners, the zeros of UTF-16 read as bytes."""

_BYTE_ORDER = ("\u00ff\u00fe", "\u00fe\u00ff", "\ufeff")
WORD = re.compile(r"[^\W_]+")
RUN = re.compile(r"\d+|[^\W\d_]+")
_DIGIT = re.compile(r"(?![0-9])\d")
_UID = re.compile(r"\d+(?:\.\d+){3,}")
_SEPARATORS = {
    "name": (" ", "^", "_", "-", ".", ",", ", "),
    "id": (" ", "_", "-", ".", "/"),
    "text": (" ", "_", "-", ", "),
}
"""What may stand between the words of a form in bytes, beside nothing."""

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
    """Text without case, accents, compatibility forms and what is not seen; digits of all scripts are ASCII.

    >>> fold("Mu\u0308ller-Lüden\u00adscheidt, STRAẞE")
    'muller-ludenscheidt, strasse'
    """
    if text.startswith(_BYTE_ORDER):
        text = text.lstrip("\u00ff\u00fe\ufeff")
    if text.isascii():
        return text.replace("\0", "").lower()
    bare = unicodedata.normalize("NFKD", text.translate(_UNSEEN).casefold()).casefold().translate(_STRIPPED)
    if bare.isascii():
        return bare
    seen = "".join(c for c in bare if not unicodedata.combining(c))
    return seen if seen.isascii() else _DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), seen)


def words(text: str) -> list[str]:
    """The words of a text, folded.

    >>> words("sub-DOE^John_01.nii")
    ['sub', 'doe', 'john', '01', 'nii']
    """
    return WORD.findall(fold(text))


def runs(text: str) -> list[str]:
    """The words of a text, parted also where letters meet digits.

    >>> runs("JohnDoe2")
    ['johndoe', '2']
    """
    return RUN.findall(fold(text))


def uids_in(text: str) -> list[str]:
    """What looks like a UID in a text."""
    return _UID.findall(text)


def forms_of(form: str, value: str, common: Set[str] = frozenset()) -> Forms:
    """All forms of a value, by the form of its kind (``mappings/identifiers.yaml``: name, id, date, text, uid), without
    those of which every word is one letter or ``common``.

    >>> sorted(forms_of("name", "Doe^Jo").words)
    ['doe j', 'doe jo', 'doej', 'doejo', 'j doe', 'jdoe', 'jo doe', 'jodoe']
    """
    if form == "uid":
        exact = value.strip()
        return Forms(literals=_written([exact]), uids=frozenset([exact])) if len(exact) >= LEAST_LITERAL else Forms()
    if form == "date":
        return _date_forms(value, common)
    composed = unicodedata.normalize("NFC", value).lower()
    spellings = (composed,) if value.isascii() else (composed, fold(value), fold(composed.translate(_SPELT)))
    sequences = [
        sequence
        for sequence in dict.fromkeys(found for s in dict.fromkeys(spellings) for found in _MAKERS[form](s))
        if _is_enough(sequence)
    ]
    if not sequences:
        return Forms()
    phrases: set[str] = set()
    literals = set(_written(s for s in spellings if not common or _tells(words(s), common)))
    for sequence in sequences:
        spaced = " ".join(sequence)
        phrase = spaced if spaced.isascii() else fold(spaced)
        if not common or _tells(phrase.split(" "), common):
            phrases.add(phrase)
            literals.update(_joined(sequence, _SEPARATORS[form]))
    return Forms(frozenset(phrases), frozenset(literals))


def _tells(found: Iterable[str], common: Set[str]) -> bool:
    """Does any of these words tell who somebody is?"""
    return any(len(word) > 1 and word not in common for word in found)


def _is_enough(sequence: tuple[str, ...]) -> bool:
    """Is a sequence of words long enough to be told from chance?"""
    joined = "".join(sequence)
    if joined.isdigit():
        is_plain = len(sequence) == 1 or any(len(word) == len("YYYY") for word in sequence)
        return len(joined) >= (LEAST_DIGITS if is_plain else LEAST_LITERAL)
    if len(joined) >= LEAST_CHARACTERS:
        return True
    return sum(1 + (c.isalpha() and c.lower() == c.upper()) for c in joined) >= LEAST_CHARACTERS


def _joined(sequence: tuple[str, ...], separators: tuple[str, ...]) -> Iterable[str]:
    """The strings for bytes of a sequence of words."""
    if len(sequence) == 1:
        return sequence if _is_unlike_voxels(sequence[0]) else ()
    letters = "".join(sequence)
    if len(set(letters)) < LEAST_DISTINCT:
        return _written(s.join(sequence) for s in separators)
    least, gaps = LEAST_LITERAL - len(letters), len(sequence) - 1
    return [s.join(sequence) for s in separators if len(s) * gaps >= least]


def _written(texts: Iterable[str]) -> frozenset[str]:
    """Strings for bytes, of texts as they are written."""
    return frozenset(t for text in texts if _is_unlike_voxels(t := text.strip().lower()))


def _is_unlike_voxels(text: str) -> bool:
    """Is a string long enough, and not so even that voxels would spell it?"""
    return len(text) >= LEAST_LITERAL and len(set(text)) >= LEAST_DISTINCT and not _ramps(text)


def _ramps(text: str) -> bool:
    """Does every character follow the one before at the same distance, as in 12345678?"""
    step = ord(text[1]) - ord(text[0])
    return ord(text[2]) - ord(text[1]) == step and all(ord(b) - ord(a) == step for a, b in pairwise(text))


def _with_run_together(sequence: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield sequence
    if len(sequence) > 1:
        yield ("".join(sequence),)


def _name(text: str) -> Iterator[tuple[str, ...]]:
    """A person's name (PS3.5 6.2: Family^Given^Middle^Prefix^Suffix, groups parted by ``=``), or as it was typed."""
    for group in text.split("="):
        if "^" in group:
            components = [WORD.findall(c) for c in group.split("^")]
            families, givens = components[0], [w for c in components[1:3] for w in c]
        elif "," in group:
            before, _, after = group.partition(",")
            families, givens = WORD.findall(before), WORD.findall(after)
        else:
            yield from _unordered(WORD.findall(group))
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
    """An id as it is, run together, its digits alone, each long run of them, and without leading zeros."""
    parts = tuple(WORD.findall(text))
    if not parts:
        return
    yield from _with_run_together(parts)
    joined = "".join(parts)
    digits = "".join(c for c in joined if c.isdigit())
    for number in (joined, digits, *parts, *RUN.findall(joined)):
        if number.isdigit():
            yield (number,)
            yield (number.lstrip("0"),)
    yield ("".join(part.lstrip("0") if part.isdigit() else part for part in parts),)


def _phrase(text: str) -> Iterator[tuple[str, ...]]:
    """An address, an institution, a telephone number: the whole, each part of it, its digits where it is a number."""
    for part in dict.fromkeys((text, *_PARTS.split(text))):
        if found := tuple(WORD.findall(part)):
            yield from _with_run_together(found)
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) >= LEAST_DIGITS and len(digits) * 2 > sum(c.isalnum() for c in text):
        yield (digits,)
        yield (digits.lstrip("0"),)


def spoken(year: str, month: str, day: str) -> str:
    """The form as which a day is searched for in texts, whatever stands between its numbers.

    >>> spoken("1958", "10", "9")
    '1958 10 09'
    """
    return f"{year} {month:0>2} {day:0>2}"


def _date_forms(text: str, common: Set[str]) -> Forms:
    """A day as digits in every order and as ``spoken``, and in its usual formats for bytes."""
    day = _day(text)
    if day is None:
        return Forms()
    phrase = spoken(str(day.year), str(day.month), str(day.day))
    y, m, d = phrase.split(" ")
    short = y[2:]
    orders = ((y, m, d), (d, m, y), (m, d, y))
    phrases = {phrase, *map("".join, orders), d + m + short, short + m + d, m + d + short}
    literals = _date_literals(day, orders)
    if common:
        phrases = {p for p in phrases if _tells(p.split(" "), common)}
        literals = [x for x in literals if _tells(words(x), common)]
    return Forms(frozenset(phrases), _written(literals))


def _date_literals(day: date, orders: tuple[tuple[str, str, str], ...]) -> list[str]:
    y, number, d = str(day.year), str(day.day), orders[0][2]
    month = _MONTHS[day.month - 1]
    found = [s.join(order) for order in orders for s in (" ", "-", ".", "/", "")]
    for name in dict.fromkeys((month, month[:3])):
        for n in dict.fromkeys((d, number)):
            found += [s.join((n, name, y)) for s in (" ", "-", ".", "/", "")]
            found += [s.join((name, n, y)) for s in (" ", "-", ".", "/", ", ", "")]
            found.append(f"{name} {n}, {y}")
    one = (number, str(day.month))
    if one != (d, orders[0][1]):
        found += [s.join(o) for o in ((*one, y), (*one[::-1], y), (y, *one[::-1])) for s in (" ", "-", ".", "/")]
    return found


def _day(text: str) -> date | None:
    digits = "".join(c for c in text[:10] if c.isdigit())[:8]
    if len(digits) != 8:
        return None
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if day.year >= FIRST_YEAR else None


_MAKERS = {"name": _name, "id": _identifier, "text": _phrase}
