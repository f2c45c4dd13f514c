"""What becomes of one value: a small function for each form of ``iods.yaml``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from trialbids.mappings.fields import LARGEST_NUMBER, SIGNIFICANT_DIGITS, Field
from trialbids.mappings.iods import Attribute, iods

from ...inventory import decode
from ..options import Options
from .context import ObjectContext
from .encode import LONGEST_TEXT, binary, text
from .moments import LONGEST_BEFORE_S, Moments

OLDEST = 89
TAG_BYTES = 4
HEAVIEST_KG = 500
BY_CLOCK = frozenset(("date", "time", "datetime", "before"))
REPLACED = frozenset(("label", "agent", "bodypart", "harmonised"))
"""Forms whose value does not come from the header."""

MOST_TABLE_BYTES = 2 * 65536

GEOMETRY_DIGITS = 9
"""A nanometre in a metre: positions and directions keep what an affine needs."""

LARGEST = {"number": LARGEST_NUMBER, "quantity": 9_999_999, "dose": 99_999_999_999}
_DECIMAL = {
    form: re.compile(rf"[+-]?(\d{{1,{len(str(largest))}}}(\.\d*)?|\.\d+)([eE][+-]?\d{{1,3}})?")
    for form, largest in LARGEST.items()
}
_INTEGER = re.compile(r"[+-]?\d{1,5}")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}

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
        return self._release[stored.attribute.form](stored, clocks)

    def depends_on_others(self, attribute: Attribute) -> bool:
        """Whether the value that leaves depends on more than the value that is stored."""
        return attribute.form in BY_CLOCK

    def _age(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        found = _AGE.fullmatch(stored.text)
        if not found or "age" in self._context.suppress:
            return None
        years = min(int(int(found.group(1)) / _PER_YEAR[found.group(2)]), OLDEST)
        return f"{years - years % self._context.age_step:03d}Y".encode("ascii")

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
        """As ``fields.yaml`` says; an image type keeps its places."""
        keyword = stored.attribute.keyword
        field = self._fields.get(keyword)
        if field is None or (keyword == "PatientSex" and "sex" in self._context.suppress):
            return None
        whole = stored.text
        if keyword == "ImageType":
            return self._image_type(field, whole.split("\\"))
        if field.action == "pattern":
            return text(stored.attribute.vr.encode(), whole.split("\\")) if field.passes(whole) else None
        passed = [word for word in whole.split("\\") if field.passes(word)]
        return text(stored.attribute.vr.encode(), passed) if passed else None

    def _image_type(self, field: Field, words: Sequence[str]) -> bytes | None:
        places = iods().image_type
        known = [w if field.passes(w) else places[n] if n < len(places) else "" for n, w in enumerate(words)]
        return text(b"CS", [w for w in known if w])

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
        whole, attribute = stored.text, stored.attribute
        matches = attribute.pattern is not None and attribute.pattern.fullmatch(whole)
        return text(attribute.vr.encode(), whole.split("\\")) if matches else None

    def _term(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        words = stored.text.split("\\")
        if stored.attribute.keyword == "FrameType":
            words = [w if w in self._terms else place for w, place in zip(words, iods().image_type, strict=False)]
        return text(stored.attribute.vr.encode(), words) if self._terms.issuperset(words) else None

    def _uid(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        parts = stored.text.split("\\")
        return text(b"UI", [self._context.pseudonyms.uid(part) for part in parts])

    def _weight(self, stored: Stored, _: Mapping[str, str]) -> bytes | None:
        numbers = stored.numbers
        if not self._context.options.weight or not numbers or numbers[0] is None or not 0 < numbers[0] < HEAVIEST_KG:
            return None
        return str(round(numbers[0])).encode("ascii")


def _shortened(number: str, digits: int) -> str:
    """A decimal string of at most so many significant digits; shorter ones as they are written."""
    is_short = sum(c.isdigit() for c in number) <= digits
    return number if is_short and len(number) <= LONGEST_TEXT[b"DS"] else f"{float(number):.{digits}g}"


def _by_keyword(options: Options) -> dict[str, Field]:
    return {field.keyword: field for field in options.allowed.fields}
