"""From the stored bytes of an element to its value.

Text is decoded as pydicom does it; numbers that cannot be read are None. Nothing here raises on bad bytes.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from struct import iter_unpack

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

Value = str | float | int | tuple[str, ...] | tuple[float, ...] | tuple[int, ...]

FORMATS = {b"US": "H", b"SS": "h", b"UL": "L", b"SL": "l", b"FL": "f", b"FD": "d", b"UV": "Q", b"SV": "q"}
CHARACTER_SET_VRS = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
ONE_TEXT_VRS = frozenset((b"LT", b"ST", b"UT"))
LARGEST_INTEGER = 2**63 - 1
_PADDING = "\0 "


@lru_cache(maxsize=65536)
def decode(kind: str, vr: bytes, raw: bytes, character_set: bytes = b"", little: bool = True) -> Value | None:
    """As :func:`decoded`. Many values repeat from file to file, so they are kept: this is also what keeps one copy of
    a patient's name in memory.
    """
    return decoded(kind, vr, raw, character_set, little)


def decoded(kind: str, vr: bytes, raw: bytes, character_set: bytes, little: bool) -> Value | None:
    """The value of an element as the given kind of field (see ``tags.KINDS``), None where it is empty or unreadable.

    ``vr`` is the element's own, or the dictionary's where it has none.
    """
    match kind:
        case "text":
            return text(vr, raw, character_set, little) or None
        case "words":
            words = text(vr, raw, character_set, little).split("\\")
            return tuple(word.strip(_PADDING) for word in words) if any(words) else None
        case "number":
            return next((n for n in numbers(vr, raw, little) if n is not None), None)
        case "numbers":
            found = numbers(vr, raw, little)
            return tuple(n for n in found if n is not None) if None not in found and found else None
        case "integer":
            return next((_integer(n) for n in numbers(vr, raw, little) if _integer(n) is not None), None)
        case _:
            integers = tuple(_integer(n) for n in numbers(vr, raw, little))
            return tuple(n for n in integers if n is not None) if None not in integers and integers else None


def text(vr: bytes, raw: bytes, character_set: bytes = b"", little: bool = True) -> str:
    """The text of an element; several values are joined by a backslash as they are stored."""
    if vr in FORMATS:
        return "\\".join(str(n) for n in numbers(vr, raw, little) if n is not None)
    if vr not in CHARACTER_SET_VRS:
        decoded = raw.decode(default_encoding)
        return "\\".join(part.strip(_PADDING) for part in decoded.split("\\")) if decoded else ""
    decoded = _decode_text(raw, encodings(character_set))
    if vr == b"PN":
        return decoded.rstrip(_PADDING + "=")
    if vr in ONE_TEXT_VRS or "\\" not in decoded:
        return decoded.rstrip(_PADDING)
    return "\\".join(part.rstrip(_PADDING) for part in decoded.split("\\"))


def numbers(vr: bytes, raw: bytes, little: bool = True) -> tuple[float | int | None, ...]:
    """The numbers of an element, None for each that cannot be read or is not finite."""
    if code := FORMATS.get(vr):
        size = 2 if code in "Hh" else 4 if code in "Llf" else 8
        found = [n for (n,) in iter_unpack(("<" if little else ">") + code, raw[: len(raw) // size * size])]
        return tuple(n if math.isfinite(n) else None for n in found)
    decoded = raw.decode(default_encoding).strip(_PADDING)
    return tuple(_number(part) for part in decoded.split("\\")) if decoded else ()


@lru_cache(maxsize=64)
def encodings(character_set: bytes) -> tuple[str, ...]:
    """Python's names of the encodings in SpecificCharacterSet."""
    terms = [term.strip(_PADDING) for term in character_set.decode(default_encoding).split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(terms)) or (default_encoding,)
        except (LookupError, ValueError):
            return (default_encoding,)


def _decode_text(raw: bytes, names: tuple[str, ...]) -> str:
    try:
        if b"\x1b" not in raw:
            return raw.decode(names[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_bytes(raw, list(names), TEXT_VR_DELIMS)
    except LookupError:
        return raw.decode(default_encoding)
    except ValueError:
        return _replaced(raw, names[0])


def _replaced(raw: bytes, name: str) -> str:
    """Text with its bad bytes replaced; a header can name any codec of Python, and some cannot replace."""
    try:
        return raw.decode(name, errors="replace")
    except ValueError:
        return raw.decode(default_encoding)


def _number(part: str) -> float | None:
    if "_" in part:  # Python reads 1_000, DICOM does not
        return None
    try:
        number = float(part.strip(_PADDING))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _integer(number: float | int | None) -> int | None:
    if number is None or number != int(number) or abs(number) > LARGEST_INTEGER:
        return None
    return int(number)
