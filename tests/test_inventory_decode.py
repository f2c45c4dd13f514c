"""Values from stored bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.inventory.decode import decode, text
from trialbids.exporter.inventory.tags import KINDS


@pytest.mark.parametrize(
    ("kind", "vr", "raw", "value"),
    [
        ("number", b"DS", b"1.50 ", 1.5),
        ("number", b"DS", b"1.0\\\\", 1.0),
        ("number", b"DS", b"fast", None),
        ("number", b"DS", b"", None),
        ("number", b"DS", b"NaN ", None),
        ("number", b"DS", b"1_0 ", None),
        ("number", b"FD", b"\0\0\0\0\0\0\xf8\x3f", 1.5),
        ("number", b"FD", b"\0\0\0\0\0\0\xf8\x7f", None),
        ("number", b"FD", b"\0\0\0", None),
        ("numbers", b"DS", b"1\\2\\3 ", (1.0, 2.0, 3.0)),
        ("numbers", b"DS", b"1\\x\\3 ", None),
        ("integer", b"IS", b"12\0", 12),
        ("integer", b"IS", b"12.0", 12),
        ("integer", b"IS", b"1.5 ", None),
        ("integer", b"IS", b"9" * 30, None),
        ("integer", b"US", b"\x05\x00\x07\x00", 5),
        ("integers", b"US", b"\x40\x00\x00\x00\x00\x00\x20\x00", (64, 0, 0, 32)),
        ("words", b"CS", b"ORIGINAL \\PRIMARY\\M ", ("ORIGINAL", "PRIMARY", "M")),
        ("words", b"CS", b"\\\\", None),
        ("text", b"LO", b"A\\B ", "A\\B"),
        ("text", b"UI", b"1.2.3\0", "1.2.3"),
        ("text", b"LT", b" a\\b  ", " a\\b"),
        ("text", b"US", b"\x05\x00", "5"),
    ],
)
def test_values(kind: str, vr: bytes, raw: bytes, value: object) -> None:
    assert decode(kind, vr, raw) == value


def test_big_endian_numbers() -> None:
    assert decode("integer", b"US", b"\x00\x05", b"", False) == 5


@pytest.mark.parametrize(
    ("character_set", "raw", "value"),
    [
        (b"ISO_IR 100", b"Becken sagittal\xf6", "Becken sagittalö"),
        (b"ISO_IR 192", "œdème".encode(), "œdème"),
        (b"ISO_IR 192", b"bad \xff byte", "bad � byte"),
        (b"", b"pelvis\xe9", "pelvisé"),
        (b"no such set", b"pelvis", "pelvis"),
        (b"ISO_IR 100\0junk\0", b"pelvis", "pelvis"),
        (b"\\ISO 2022 IR 87", b"Yamada\x1b$B;3ED\x1b(B", "Yamada山田"),
        (b"\\ISO 2022 IR 87", b"\x1b$B\xff\xff", "\x1b$Bÿÿ"),
        (b"GB18030", "骨盆".encode("gb18030"), "骨盆"),
    ],
)
def test_text_follows_the_character_set(character_set: bytes, raw: bytes, value: str) -> None:
    assert text(b"LO", raw, character_set) == value


@given(
    st.sampled_from(list(KINDS.values())),
    st.sampled_from([b"LO", b"PN", b"DS", b"IS", b"US", b"FD", b"CS", b"UN", b"LT"]),
    st.binary(max_size=40),
    st.one_of(st.binary(max_size=12), st.sampled_from([b"utf_7", b"idna", b"\\ISO 2022 IR 87", b"unicode_escape"])),
)
def test_no_bytes_crash(kind: str, vr: bytes, raw: bytes, character_set: bytes) -> None:
    value = decode(kind, vr, raw, character_set)
    assert value is None or isinstance(value, str | float | int | tuple)
