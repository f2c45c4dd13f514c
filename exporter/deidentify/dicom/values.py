"""What becomes of one value: a small function for each form of ``iods.yaml``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from struct import Struct

from trialbids.mappings import participant
from trialbids.mappings.fields import LARGEST_NUMBER, SIGNIFICANT_DIGITS, Field, allow_list
from trialbids.mappings.iods import Attribute, iods

from ...inventory import decode
from ...inventory.tags import SYNONYMS
from ..marks import joined
from ..options import Options
from .context import ObjectContext
from .encode import LONGEST_TEXT, binary, text
from .moments import LONGEST_BEFORE_S, Moments

TAG_BYTES = 4
BY_CLOCK = frozenset(("date", "time", "datetime", "before"))
REPLACED = frozenset(("label", "agent", "bodypart", "harmonised"))
"""Forms whose value does not come from the header."""

LISTED = frozenset(("field", "term", "short", *("number", "quantity", "dose")))
"""Forms of values that a trial may leave out: by ``fields: drop``, or by a mark on a text."""

IMAGE_TYPE = "ImageType"

MOST_TABLE_BYTES = 2 * 65536

GEOMETRY_DIGITS = 9
"""A nanometre in a metre: positions and directions keep what an affine needs."""

LARGEST = {"number": LARGEST_NUMBER, "quantity": 9_999_999, "dose": 99_999_999_999}
_DECIMAL = {
    form: re.compile(rf"[+-]?(\d{{1,{len(str(largest))}}}(\.\d*)?|\.\d+)([eE][+-]?\d{{1,3}})?")
    for form, largest in LARGEST.items()
}
_INTEGER = re.compile(r"[+-]?\d{1,5}")

_OF_DATE = {
    "AcquisitionDate": "AcquisitionTime",
    "SeriesDate": "SeriesTime",
    "ContentDate": "ContentTime",
}
_OF_TIME = {
    "StudyTime": "StudyDate",
    "SeriesTime": "SeriesDate",
    "AcquisitionTime": "AcquisitionDate",
    "ContentTime": "ContentDate",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A value as the object holds it. ``vr`` is the element's own where it has one that is known."""

    attribute: Attribute
    vr: bytes
    raw: bytes
    little: bool

    @property
    def text(self) -> str:
        """The value as text, "" where it is empty."""
        return decode.text(self.vr, self.raw, b"", self.little)

    @property
    def words(self) -> list[str]:
        """The texts of a value that may hold several."""
        return self.text.split("\\")

    @property
    def name(self) -> str:
        """The keyword by which the allow-list and the review of values know the attribute."""
        return _listed_name(self.attribute)

    @property
    def numbers(self) -> tuple[float | int | None, ...]:
        """The value as numbers, None for each that cannot be read."""
        return decode.numbers(self.vr, self.raw, self.little)


class Values:
    """Turns stored values into those that leave, for one session and stack.

    ``release`` gives the bytes of the value (b"" = present and empty), or None where it may not leave.
    """

    def __init__(self, context: ObjectContext) -> None:
        self._context = context
        self._moments = Moments(context.shift, context.start, context.options.keep_times)
        self._fields = _by_keyword(context.options)
        self._marks = context.options.marks
        self._dropped = {field.keyword for field in allow_list().fields} - self._fields.keys()
        self._terms = iods().terms
        self._release: Mapping[str, Callable[[Stored, Mapping[str, str]], bytes | None]] = {
            "age": self._age,
            "agent": lambda *_: self._context.agent.encode("ascii"),
            "before": self._before,
            "bodypart": lambda *_: self._context.bodypart.upper().encode("ascii") or None,
            "class": lambda stored, _: text(b"UI", [stored.text]),
            "date": self._date,
            "dose": self._number,
            "datetime": lambda stored, _: self._moments.stamp(stored.text).encode("ascii") or None,
            "empty": lambda *_: b"",
            "field": self._field,
            "harmonised": lambda *_: text(b"LO", [self._context.description]) or None,
            "label": lambda *_: self._context.subject.encode("ascii"),
            "number": self._number,
            "pointer": self._pointer,
            "quantity": self._number,
            "short": self._short,
            "table": lambda stored, _: stored.raw if len(stored.raw) <= MOST_TABLE_BYTES else None,
            "term": self._term,
            "time": self._time,
            "uid": self._uid,
            "weight": self._weight,
        }

    def release(self, stored: Stored, clocks: Mapping[str, str]) -> bytes | None:
        """The value in the form in which it leaves. ``clocks`` holds the dates and times of the same level."""
        if not stored.raw or (stored.vr not in decode.FORMATS and not stored.raw.strip(b" \0")):
            return (
                b"" if stored.attribute.form not in REPLACED else self._release[stored.attribute.form](stored, clocks)
            )
        if stored.attribute.form in LISTED and stored.name in self._dropped:
            return self._image_type(stored, lambda _: False) if stored.name == IMAGE_TYPE else None
        return self._release[stored.attribute.form](stored, clocks)

    def stand_in(self, attribute: Attribute) -> str:
        """What stands for a required value that may not leave, "" where nothing does."""
        return "" if self._marks.stops(_listed_name(attribute), attribute.dummy) else attribute.dummy

    def depends_on_others(self, attribute: Attribute) -> bool:
        """Whether the value that leaves depends on more than the value that is stored."""
        return attribute.form in BY_CLOCK

    def _age(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        years = participant.years(stored.text)
        if years is None or "age" in self._context.options.suppress:
            return None
        return f"{participant.capped(years, self._context.options.age_band):03d}Y".encode("ascii")

    def _before(self, stored: Stored, clocks: Mapping[str, str]) -> bytes | None:
        if stored.attribute.vr == "DT":
            return self._moments.stamp(stored.text, LONGEST_BEFORE_S).encode("ascii") or None
        return self._moments.time(stored.text, "", LONGEST_BEFORE_S).encode("ascii") or None

    def _date(self, stored: Stored, clocks: Mapping[str, str]) -> bytes | None:
        time = clocks.get(_OF_DATE.get(stored.attribute.keyword, ""), "")
        return self._moments.date(stored.text, time).encode("ascii") or None

    def _time(self, stored: Stored, clocks: Mapping[str, str]) -> bytes | None:
        day = clocks.get(_OF_TIME.get(stored.attribute.keyword, ""), "")
        return self._moments.time(stored.text, day).encode("ascii") or None

    def _field(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        """As ``fields.yaml`` and the review of values say."""
        keyword = stored.attribute.keyword
        field = self._fields.get(keyword)
        if field is None or (keyword == "PatientSex" and "sex" in self._context.options.suppress):
            return None
        if keyword == IMAGE_TYPE:
            return self._image_type(stored, lambda word: self._marks.lets(field, word))
        words = [stored.text] if field.action == "pattern" else stored.words
        passed = [word for word in words if self._marks.lets(field, word)]
        if not passed or self._marks.stops(keyword, joined(passed)):
            return None
        return text(stored.attribute.vr.encode(), "\\".join(passed).split("\\"))

    def _image_type(self, stored: Stored, lets: Callable[[str], bool]) -> bytes | None:
        """Each word that may leave in its place; a neutral one stands for another, none where that may not leave."""
        words, places = stored.words, iods().image_type
        passed = [word for word in words if lets(word)]
        whole = not self._marks.stops(IMAGE_TYPE, joined(passed))
        stand_ins = ["" if self._marks.stops(IMAGE_TYPE, place) else place for place in places]
        known = [
            word if whole and word in passed and text(b"CS", [word]) is not None else stand_in
            for word, stand_in in zip_longest(words, stand_ins[: len(words)], fillvalue="")
        ]
        while known and not known[-1]:
            known.pop()
        return text(b"CS", [w for n, w in enumerate(known) if w or n < len(places)])

    def _number(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        """Numbers as they are where nothing but a plain number fits, in the dictionary's VR."""
        vr, limit = stored.attribute.vr, LARGEST[stored.attribute.form]
        if vr in ("DS", "IS"):
            pattern = _INTEGER if vr == "IS" else _DECIMAL[stored.attribute.form]
            parts = [part.strip() for part in stored.text.split("\\")]
            if not all(map(pattern.fullmatch, parts)):
                return None
            field = self._fields.get(stored.attribute.keyword)
            digits = SIGNIFICANT_DIGITS if field is not None and field.action == "number" else GEOMETRY_DIGITS
            return text(vr.encode(), [_shortened(part, digits) for part in parts])
        found = stored.numbers
        if not found or any(n is None or abs(n) > limit for n in found):
            return None
        own = stored.vr if stored.vr in (b"US", b"SS") and b"SS" in vr.encode() else vr.split(" ")[0].encode()
        return binary(own, [n for n in found if n is not None], stored.little)

    def _pointer(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        """A tag of the standard as it is; a private one would name its creator, and a neutral one stands for it."""
        if len(stored.raw) != TAG_BYTES:
            return None
        packer = Struct("<HH" if stored.little else ">HH")
        if not packer.unpack(stored.raw)[0] & 1:
            return stored.raw
        stand_in = iods().pointers.get(stored.attribute.tag)
        return packer.pack(stand_in >> 16, stand_in & 0xFFFF) if stand_in else None

    def _short(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        attribute = stored.attribute
        matches = attribute.pattern is not None and attribute.pattern.fullmatch(stored.text) is not None
        lets = self._marks.allows(stored.name, stored.text, matches)
        return text(attribute.vr.encode(), stored.words) if lets else None

    def _term(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        def lets(word: str) -> bool:
            return self._marks.allows(stored.name, word, word in self._terms)

        if stored.name == IMAGE_TYPE:
            return self._image_type(stored, lets)
        may_leave = all(map(lets, stored.words)) and not self._marks.stops(stored.name, joined(stored.words))
        return text(stored.attribute.vr.encode(), stored.words) if may_leave else None

    def _uid(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        parts = stored.text.split("\\")
        return text(b"UI", [self._context.pseudonyms.uid(part) for part in parts])

    def _weight(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        numbers = stored.numbers
        if not self._context.options.weight or not numbers:
            return None
        return participant.kilograms(numbers[0]).encode("ascii") or None


def _shortened(number: str, digits: int) -> str:
    """A decimal string of at most so many significant digits; shorter ones as they are written."""
    is_short = sum(c.isdigit() for c in number) <= digits
    return number if is_short and len(number) <= LONGEST_TEXT[b"DS"] else f"{float(number):.{digits}g}"


def _listed_name(attribute: Attribute) -> str:
    """Enhanced objects call some attributes otherwise, which are listed and marked under the classic name."""
    return SYNONYMS.get(attribute.keyword, attribute.keyword)


def _by_keyword(options: Options) -> dict[str, Field]:
    return {field.keyword: field for field in options.allowed.fields}
