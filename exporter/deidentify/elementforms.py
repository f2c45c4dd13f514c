"""The form of every element of a released DICOM object: that in which ``iods.yaml`` lets it leave, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from trialbids.mappings.iods import Attribute, iods
from trialbids.mappings.vocabulary import vocabulary

from ..inventory.elements import LONG_VRS
from .dicom.codes import meaning_of
from .dicom.context import ObjectContext
from .dicom.own import REMOVED
from .dicom.values import Stored, Values
from .marks import Marks
from .options import Options
from .pseudonyms import Pseudonyms
from .shapes import CODES, LABEL, LAST_YEAR, Rules, is_released_uid, methods

PADDED = b" \0"
MOST_REMEMBERED = 50_000
LONGEST_REMEMBERED = 256
CODE_VALUE, CODE_SCHEME, CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
CODE = {CODE_VALUE: b"SH", CODE_SCHEME: b"SH", CODE_MEANING: b"LO"}
METHOD_CODES = 0x00120064

_TIME = re.compile(r"([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d{1,6})?")
_DAY = re.compile(r"(\d{4})(0[1-9]|1[0-2])([0-2]\d|3[01])")

_TESTS = frozenset(
    ("label", "uid", "class", "date", "time", "datetime", "before", "agent", "bodypart", "harmonised", "empty")
)
"""Forms whose values are made, not taken over: each has its test here. Others pass where they would leave unchanged."""


class Forms:
    """The forms for the objects of one session, in one byte order. What was judged is remembered."""

    def __init__(self, rules: Rules, subject: str, session: str, little: bool) -> None:
        self._rules, self._subject, self._little = rules, subject, little
        # The key is never used: a UID is judged by its form.
        marks = Marks(frozenset((keyword, value) for keyword, values in rules.accepted.items() for value in values))
        options = Options(weight=True, keep_dates=rules.keep_dates, allowed=rules.allowed, marks=marks)
        self._values = Values(ObjectContext(subject, session, Pseudonyms(b""), options=options))
        self._attributes = iods().attributes
        self._own = _own_elements(subject, session)
        self._judged: dict[tuple[int, bytes, bytes, bool], str] = {}

    @classmethod
    def of(cls, rules: Rules, subject: str, session: str, little: bool) -> Forms:
        """Those of a session, kept from its last object."""
        known = _LAST.get((subject, session, little))
        if known is None or known._rules is not rules:
            _LAST.clear()
            known = _LAST[subject, session, little] = cls(rules, subject, session, little)
        return known

    def sequence(self, tag: int) -> str:
        """The form of a sequence: item, code or empty; "" where no such may be there."""
        if tag == METHOD_CODES:
            return "code"
        attribute = self._attributes.get(tag)
        return attribute.form if attribute is not None and attribute.vr == "SQ" else ""

    def is_code(self, tag: int, content: Mapping[int, bytes]) -> bool:
        """Is an item a coded concept with the standard's meaning?"""
        scheme, value, meaning = (_text(content.get(t, b"")) for t in (CODE_SCHEME, CODE_VALUE, CODE_MEANING))
        if tag == METHOD_CODES:
            return scheme == "DCM" and value in CODES and CODES[value][:64] == meaning
        return bool(meaning) and meaning == meaning_of(scheme, value)

    def fault(self, tag: int, vr: bytes, raw: bytes, *, is_top: bool) -> str:
        """The kind of leak that an element is, "" where it is none."""
        if len(raw) > LONGEST_REMEMBERED:
            return self._fault(tag, vr, raw, is_top)
        key = (tag, vr, raw, is_top)
        if key not in self._judged:
            if len(self._judged) >= MOST_REMEMBERED:
                self._judged.clear()
            self._judged[key] = self._fault(tag, vr, raw, is_top)
        return self._judged[key]

    def _fault(self, tag: int, vr: bytes, raw: bytes, is_top: bool) -> str:
        if is_top and tag in self._own:
            own_vr, test = self._own[tag]
            return "" if vr == own_vr and test(_text(raw)) else "odd-value"
        if not is_top and tag in CODE:
            return "" if vr == CODE[tag] else "odd-value"  # is_code judges all three together
        attribute = self._attributes.get(tag)
        if attribute is None or attribute.vr == "SQ":
            return "unknown-key"
        return "" if vr in _vrs(attribute) and self._is_right(attribute, vr, raw) else "odd-value"

    def _is_right(self, attribute: Attribute, vr: bytes, raw: bytes) -> bool:
        if not raw or _is_padded(raw, attribute.dummy.encode("ascii"), vr):
            return True
        if attribute.form in _TESTS:
            return raw.isascii() and self._test(attribute.form, _text(raw))
        released = self._values.release(Stored(attribute, vr, raw, self._little), {})
        return released is not None and _is_padded(raw, released, vr)

    def _test(self, form: str, text: str) -> bool:
        match form:
            case "label":
                return text == self._subject
            case "uid":
                return all(map(is_released_uid, text.split("\\")))
            case "class":
                return text in iods().iods
            case "date":
                return self._is_day(text)
            case "time":
                return _TIME.fullmatch(text) is not None
            case "datetime" | "before":
                return self._is_moment(text)
            case "empty":
                return False
            case _:
                return text.casefold() in _words(form)

    def _is_day(self, text: str) -> bool:
        found = _DAY.fullmatch(text)
        return found is not None and (self._rules.keep_dates or int(found[1]) <= LAST_YEAR)

    def _is_moment(self, text: str) -> bool:
        """A date and a time; an event before the session may be a time alone."""
        if _TIME.fullmatch(text):
            return True
        return self._is_day(text[:8]) and _TIME.fullmatch(text[8:]) is not None


_LAST: dict[tuple[str, str, bool], Forms] = {}


def _text(raw: bytes) -> str:
    return raw.rstrip(PADDED).decode("latin-1")


def _is_padded(raw: bytes, released: bytes, vr: bytes) -> bool:
    """Are these the bytes of a value as it is written, of even length?"""
    if len(released) & 1:
        released += b"\0" if vr == b"UI" or vr in LONG_VRS else b" "
    return bool(released) and raw == released


@cache
def _vrs(attribute: Attribute) -> frozenset[bytes]:
    return frozenset(name.encode("ascii") for name in attribute.vr.split(" or "))


@cache
def _words(form: str) -> frozenset[str]:
    """The words of the harmonised record that stand in an object."""
    name = {"agent": "agent_name", "bodypart": "bodypart", "harmonised": "sequence"}[form]
    return frozenset(word.casefold() for word in vocabulary()[name].values)


Own = tuple[bytes, Callable[[str], bool]]


def _own_elements(subject: str, session: str) -> dict[int, Own]:
    """The elements that say what was done and whose the object is, each with its VR and test."""
    return {
        0x00120010: (b"LO", REMOVED.__eq__),
        0x00120020: (b"LO", REMOVED.__eq__),
        0x00120021: (b"LO", "".__eq__),
        0x00120030: (b"LO", lambda text: not text or LABEL.fullmatch(text) is not None),
        0x00120031: (b"LO", "".__eq__),
        0x00120040: (b"LO", subject.__eq__),
        0x00120050: (b"LO", session.__eq__),
        0x00120062: (b"CS", "YES".__eq__),
        0x00120063: (b"LO", lambda text: _methods().issuperset(text.split("\\"))),
        0x00280303: (b"CS", ("MODIFIED", "UNMODIFIED").__contains__),
    }


@cache
def _methods() -> frozenset[str]:
    """What ``DeidentificationMethod`` can say, as long as an LO value may be."""
    return frozenset(m[:64].rstrip() for m in methods())
