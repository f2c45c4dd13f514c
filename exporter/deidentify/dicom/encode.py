"""Data elements written in explicit VR (PS3.5 section 7.1.2), in either byte order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct, pack
from struct import error as StructError

from ...inventory.decode import FORMATS
from ...inventory.elements import LONG_VRS

LONGEST_SHORT_VALUE = 0xFFFE
LONGEST_TEXT = {b"AE": 16, b"AS": 4, b"CS": 16, b"DA": 8, b"DS": 16, b"DT": 26, b"IS": 12, b"LO": 64, b"PN": 64}
LONGEST_TEXT |= {b"SH": 16, b"TM": 14, b"UI": 64}
_ORDER = {True: "<", False: ">"}


def element(tag: int, vr: bytes, value: bytes, little: bool = True) -> bytes:
    """One data element. ``value`` is padded to an even length as its VR asks."""
    if len(value) & 1:
        value += b"\0" if vr == b"UI" or vr in LONG_VRS else b" "
    order = _ORDER[little]
    if vr in LONG_VRS:
        return pack(order + "HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def text(vr: bytes, values: Sequence[str]) -> bytes | None:
    """Text values as bytes; None where one is longer than its VR may be, or is not plain ASCII."""
    longest = LONGEST_TEXT.get(vr, LONGEST_SHORT_VALUE)
    if any(len(v) > longest or not v.isascii() or not v.isprintable() for v in values):
        return None
    return "\\".join(values).encode("ascii")


def binary(vr: bytes, values: Sequence[float], little: bool = True) -> bytes | None:
    """Binary numbers; None where one is out of the range of the VR."""
    code = FORMATS[vr]
    packer = Struct(f"{_ORDER[little]}{len(values)}{code}")
    whole = code not in "fd"
    try:
        return packer.pack(*(int(v) if whole else v for v in values))
    except (StructError, OverflowError):
        return None


def sequence(tag: int, items: Sequence[bytes], little: bool = True) -> bytes:
    """A sequence of items with their lengths stated."""
    order = _ORDER[little]
    body = b"".join(pack(order + "HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return element(tag, b"SQ", body, little)


def data_set(elements: Mapping[int, bytes]) -> bytes:
    """Encoded elements in the order of their tags."""
    return b"".join(elements[tag] for tag in sorted(elements))
