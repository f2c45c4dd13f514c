"""Whether a value is written as the standard wants it: its VR, how many values there are, how each is spelled.

The rules are those of PS3.5 section 6.2, table 6.2-1. What breaks one is named by a short code: ``vr``, ``vm`` or
``syntax`` with the keyword of the attribute, ``charset`` where the declared character set cannot have written the text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from struct import calcsize

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from .decode import CHARACTER_SET_VRS, FORMATS, ONE_TEXT_VRS, Value, decoded
from .moment import day_of
from .tags import Field

CHARSET = "charset"
META_CLASS, META_INSTANCE = "meta-class", "meta-uid"
"""The file meta information names another SOP class, or another SOP instance, than the data set."""

LONGEST_BYTES = 1024
"""No element that is read into a field has a right value longer than this, texts apart."""

NO_VRS = frozenset((b"", b"UN", b"OB", b"OW"))
"""What an element carries where the writer knew no VR: the dictionary's is used."""

_REWRITTEN = b"UC"
"""What stands for the VR where pydicom has read the element: its own is not known."""

_WIDTHS = {vr: calcsize(f"<{code}") for vr, code in FORMATS.items()}
_LATIN = frozenset(("iso8859", "latin_1", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_9", "iso8859_15"))
"""Python's names of the character sets in which a text that is valid UTF-8 is nothing else than UTF-8."""
_ASCII = frozenset(("", "ISO_IR 6", "ISO 2022 IR 6"))
"""Names of the default repertoire, none among them. It has no letter beyond ASCII, though pydicom reads it as Latin."""


@lru_cache(maxsize=65536)
def read_value(field: Field, vr: bytes, raw: bytes, character_set: bytes, little: bool) -> tuple[Value | None, str]:
    """The value of an element, None where it is empty or unreadable, and the code of what is wrong with it or "".

    Values repeat from file to file, so they are kept: what is found wrong costs nothing where it was seen before.
    """
    value = decoded(field.kind, vr if vr not in NO_VRS else field.vr, raw, character_set, little)
    return value, fault(field, vr, raw, character_set)


def fault(field: Field, vr: bytes, raw: bytes, character_set: bytes) -> str:
    """The code of the first rule that an element breaks, "" where it breaks none."""
    if vr in field.vrs:
        used = vr
    elif vr in NO_VRS or vr == _REWRITTEN:
        used = field.vr
    else:
        return f"vr:{field.keyword}"
    if (width := _WIDTHS.get(used)) and vr != _REWRITTEN:
        if len(raw) % width:
            return f"syntax:{field.keyword}"
        return "" if fits(len(raw) // width, field.vm) else f"vm:{field.keyword}"
    if used in CHARACTER_SET_VRS:
        if not raw.isascii() and not is_decodable(raw, character_set):
            return CHARSET
        if used in ONE_TEXT_VRS or b"\x1b" in raw:
            return ""
    n = raw.count(b"\\") + 1
    if (n != 1 or field.vm != "1") and not fits(n, field.vm) and raw.strip(b"\0 "):
        return f"vm:{field.keyword}"
    is_right = _SPELLED.get(used)
    if is_right is None or (len(raw) <= LONGEST_BYTES and is_right(raw)):
        return ""
    return f"syntax:{field.keyword}"


@lru_cache(maxsize=1024)
def fits(n: int, multiplicity: str) -> bool:
    """Whether so many values are allowed: 1, 2-n, 3-3n and such (PS3.6).

    >>> fits(3, "3"), fits(2, "1"), fits(4, "2-2n"), fits(3, "2-2n")
    (True, False, True, False)
    """
    least, _, most = multiplicity.partition("-")
    if n == 0:
        return True
    if not most:
        return n == int(least)
    step = most.removesuffix("n")
    if most == step:
        return int(least) <= n <= int(most)
    return n >= int(least) and n % int(step or 1) == 0


@lru_cache(maxsize=4096)
def is_decodable(raw: bytes, character_set: bytes) -> bool:
    """Whether the declared character set can have written this text (PS3.3 C.12.1.1.2).

    Without one only ASCII can; text that is valid UTF-8 was not written as Latin.
    """
    if raw.isascii() and b"\x1b" not in raw:
        return True
    terms = [term.strip("\0 ") for term in character_set.decode(default_encoding).split("\\")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pydicom warns where it falls back
            names = convert_encodings(terms) if any(terms) else [default_encoding]
            if b"\x1b" in raw:
                decode_bytes(raw, names, TEXT_VR_DELIMS)
                return True
            if terms[0] in _ASCII:
                return False
            raw.decode(names[0])
    except (LookupError, ValueError, Warning):
        return False
    return names[0] not in _LATIN or not _is_utf8(raw)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _each(part: str) -> Callable[[bytes], object]:
    """Whether every value of an element is spelled so; any may be empty, and the last may be padded."""
    spelled = re.compile(rf"(?:{part})?(?:\\(?:{part})?)*".encode()).fullmatch
    return lambda raw: spelled(raw.rstrip(b"\0 "))


def _short(most: int) -> Callable[[bytes], bool]:
    """Whether no value is longer than this; in other character sets than ASCII bytes are no characters."""
    return lambda raw: len(raw) <= most or not raw.isascii() or all(len(v.strip()) <= most for v in raw.split(b"\\"))


def _is_date(raw: bytes) -> bool:
    return bool(_DATES(raw)) and all(day_of(v) is not None for v in raw.decode("ascii").strip("\0 ").split("\\") if v)


def _is_uid(raw: bytes) -> bool:
    uid = raw.rstrip(b"\0")
    if b".0" not in uid and b".." not in uid and uid.replace(b".", b"").isdigit() and uid[:1] in b"12":
        return len(uid) <= 64 and not uid.endswith(b".")  # nearly all are such, and a pattern takes ten times as long
    return bool(_UIDS(raw)) and (len(raw) <= 64 or all(len(uid.strip(b"\0")) <= 64 for uid in raw.split(b"\\")))


_COMPONENT = r"(?:0|[1-9]\d*)"
_CLOCK = r"(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)? *"
_DATES = _each(r"\d{8}|\d{4}\.\d\d\.\d\d")
_UIDS = _each(rf"{_COMPONENT}(?:\.{_COMPONENT})*\0?")
_SPELLED: dict[bytes, Callable[[bytes], object]] = {
    b"UI": _is_uid,
    b"DA": _is_date,
    b"TM": _each(_CLOCK),
    b"DT": _each(r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})? *"),
    b"AS": _each(r"\d{3}[DWMY]"),
    b"CS": _each(r"[A-Z0-9_ ]{1,16} *"),
    b"DS": _each(r"(?=[^\\]{1,16}(?:\\|$)) *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *"),
    b"IS": _each(r" *[+-]?\d{1,11} *"),
    b"LO": _short(64),
    b"SH": _short(16),
}
"""By VR, what tells whether the values are spelled as they must be."""
