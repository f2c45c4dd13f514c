"""Canaries: strings that exist nowhere else, made here, and a search for them in every byte and name of a folder."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import random
import re
import struct
import tarfile
import urllib.parse
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
ALPHABETS = {
    "ISO_IR 100": ("latin_1", "ÄÖÜßéèçñåøæïôû"),
    "ISO_IR 101": ("iso8859_2", "ĄŁŻŹŚĆŃęčřžőű"),
    "ISO_IR 144": ("iso8859_5", "БГДЖЗИЛПФЦЧШЩЭЮЯ"),
    "ISO_IR 126": ("iso8859_7", "ΓΔΘΛΞΠΣΦΨΩαβγδ"),
    "ISO_IR 192": ("utf_8", "øłżßéñΔЖ山田太郎"),
    "GB18030": ("gb18030", "王小东李明张伟刘洋陈静"),
    "ISO_IR 13": ("shift_jis", "ﾔﾏﾀﾞﾀﾛｳｽｽﾞｷ"),
}
"""Character sets of DICOM with Python's name of them and letters that only they, or few others, have."""

KEY = 8
"""Bytes of a canary that are enough to know it: both its first and its last ones are looked for."""


@dataclass(frozen=True)
class Canary:
    """A string with the place where it was planted. ``kind``: word, digits, date, clock, uid, name or blob (bytes).

    ``written`` is how it stands in the input, where that is not the value itself.
    """

    value: str
    place: str
    kind: str = "word"
    codec: str = "utf_8"
    written: str = ""

    def forms(self) -> Iterator[bytes]:
        """Every way in which its bytes may turn up."""
        if self.kind == "blob":
            yield bytes.fromhex(self.value)
            return
        for text in self._written():
            yield from _encoded(text, self.codec)

    def _written(self) -> Iterator[str]:
        yield self.value
        if self.written:
            yield self.written
        if self.kind == "date":
            day = date.fromisoformat(f"{self.value[:4]}-{self.value[4:6]}-{self.value[6:]}")
            for pattern in ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d %B %Y"):
                yield day.strftime(pattern)
        elif self.kind in ("word", "name"):
            yield from {self.value.lower(), self.value.upper(), self.value.title()} - {self.value}


def _encoded(text: str, codec: str) -> Iterator[bytes]:
    for name in ("utf_8", "utf_16_le", "utf_16_be", codec):
        yield text.encode(name)
    if text.isascii():
        for shift in range(3):  # base64 of a text that stands anywhere in a longer one
            whole = base64.b64encode(b"\0" * shift + text.encode())
            yield whole[4 if shift else 0 : len(whole) // 4 * 4 - 4]
    else:
        yield json.dumps(text)[1:-1].encode()
        yield text.encode("ascii", "xmlcharrefreplace")
        yield html.escape(text).encode()
        yield urllib.parse.quote(text).encode()


@dataclass
class Flock:
    """Makes canaries, each only once and the same ones in every run, and remembers where each was planted."""

    seed: int = 0
    canaries: list[Canary] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._used: set[str] = set()

    def _fresh(self, make: str, length: int) -> str:
        while True:
            value = "".join(self._random.choices(make, k=length))
            if value[:KEY] not in self._used and value[-KEY:] not in self._used:
                self._used |= {value[:KEY], value[-KEY:]}
                return value

    def _add(self, value: str, place: str, kind: str, codec: str = "utf_8") -> str:
        self.canaries.append(Canary(value, place, kind, codec))
        return value

    def word(self, place: str, length: int = 12) -> str:
        """Capital letters: legal in every text, code and AE title."""
        return self._add(self._fresh(LETTERS, length), place, "word")

    def digits(
        self, place: str, length: int = 10, first: str = "17", written: Callable[[str], str] | None = None
    ) -> str:
        """A number such as a telephone or a patient number, as it is ``written`` in the place."""
        value = first + self._fresh("0123456789", length - len(first))
        text = written(value) if written else value
        self.canaries.append(Canary(value, place, "digits", written=text))
        return text

    def day(self, place: str) -> str:
        """A date from 1930 to 1999 as DICOM writes it."""
        while True:
            value = f"{date(1930, 1, 1) + timedelta(days=self._random.randrange(25_500)):%Y%m%d}"
            if value not in self._used:
                self._used.add(value)
                return self._add(value, place, "date")

    def clock(self, place: str) -> str:
        """A time of day to the microsecond, as DICOM writes it."""
        fraction = self._fresh("123456789", 9)
        return self._add(f"1{int(fraction[6:]) % 10}3214.{fraction[:6]}", place, "clock")

    def eight(self, place: str) -> int:
        """A 64-bit number whose bytes are letters, the same ones in either byte order."""
        half = self._fresh(LETTERS, 4)
        return int.from_bytes(self._add(half + half[::-1], place, "word").encode(), "little")

    def uid(self, place: str) -> str:
        """A UID of a root that nobody owns."""
        return self._add(f"1.2.826.0.1.9999.{self._fresh('123456789', 16)}", place, "uid")

    def name(self, place: str, charset: str) -> str:
        """A name in the letters of a character set of DICOM."""
        codec, letters = ALPHABETS[charset]
        return self._add(self._fresh(letters, 10), place, "name", codec)

    def blob(self, place: str, length: int = 16) -> bytes:
        """Bytes that are no text in any character set."""
        raw = b"\xff\xfe" + self._random.randbytes(length - 2)
        self._add(raw.hex(), place, "blob")
        return raw


class Search:
    """Looks for many canaries at once.

    Words, names and raw bytes are known by their first or their last eight bytes, so that a canary cut short is found
    too; numbers, dates and UIDs, which are short of symbols, only whole.
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._by_key: dict[bytes, set[tuple[Canary, bytes]]] = {}
        self._numbers: dict[str, Canary] = {}
        for canary in canaries:
            for form in canary.forms():
                enough = 2 * KEY if form[1::2].count(0) or form[::2].count(0) else KEY  # UTF-16 looks like dark voxels
                for wanted in (form,) if canary.kind in WHOLE else (form[:enough], form[-enough:]):
                    if len(wanted) >= KEY:
                        self._by_key.setdefault(wanted[:KEY], set()).add((canary, wanted))
            if canary.kind == "digits":
                self._numbers[canary.value] = canary
        self._sieves = np.zeros((2, 1 << 22), bool)
        words = np.frombuffer(b"".join(self._by_key), "<u8")
        for sieve, factor in zip(self._sieves, FACTORS, strict=True):
            sieve[_hash(words, factor)] = True

    def in_bytes(self, data: bytes) -> set[Canary]:
        """The canaries whose bytes stand in the data."""
        found: set[Canary] = set()
        for offset in range(min(KEY, max(len(data) - KEY + 1, 0))):
            words = np.frombuffer(data, "<u8", (len(data) - offset) // KEY, offset)
            left = np.flatnonzero(self._sieves[0][_hash(words, FACTORS[0])])
            left = left[self._sieves[1][_hash(words[left], FACTORS[1])]]
            for n in left:
                found |= self._at(data, offset + KEY * int(n))
        return found

    def _at(self, data: bytes, start: int) -> set[Canary]:
        there = self._by_key.get(data[start : start + KEY], ())
        return {
            canary
            for canary, form in there
            if data.startswith(form, start) and not (canary.kind in WHOLE and _in_number(data, start, len(form)))
        }

    def in_text(self, text: str) -> set[Canary]:
        """The same, and numbers whose digits are parted by points, spaces or dashes, or that were rounded."""
        found = self.in_bytes(text.encode())
        for piece in re.findall(r"(?<!\d)\d[\d .,/_\\\-]{6,30}(?!\d)", text):
            bare = re.sub(r"\D", "", piece)
            found |= {c for value, c in self._numbers.items() if value[:KEY] in bare}
        return found

    def in_folder(self, root: Path, most: int = 1 << 30) -> dict[Canary, str]:
        """The canaries in all names below a folder and in the bytes of its files, each with one place of it.

        Of each folder ``most`` files are opened.
        """
        found: dict[Canary, str] = {}
        opened: Counter[Path] = Counter()
        for path in sorted(root.rglob("*")):
            for canary in self.in_text(str(path.relative_to(root))):
                found.setdefault(canary, f"name of {path}")
            if path.is_file() and opened[path.parent] < most:
                opened[path.parent] += 1
                for what, data in layers(path.name, path.read_bytes()):
                    hits = self.in_bytes(data)
                    if is_text(data):
                        hits |= self.in_text(data.decode("utf-8", "replace"))
                    for canary in hits:
                        found.setdefault(canary, f"{what} of {path}")
        return found


def is_text(data: bytes) -> bool:
    """No zero byte: every file of a tree is either text or has some."""
    return b"\0" not in data


WHOLE = frozenset({"digits", "date", "clock", "uid"})


def _in_number(data: bytes, start: int, length: int) -> bool:
    """Is this the middle of a longer number, where it is chance?"""
    before, after = data[max(start - 2, 0) : start], data[start + length : start + length + 2]
    return before.isdigit() or after.isdigit()  # one byte alone may be a tag of DICOM


FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


def _hash(words: np.ndarray, factor: int) -> np.ndarray:
    """22 bits of each word, by multiplication."""
    return (words * np.uint64(factor)) >> np.uint64(42)


def layers(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file's bytes as they lie, and what is inside where they are a container: gzip, zip, tar, Parquet, deflate."""
    yield "bytes", data
    if data[:2] == b"\x1f\x8b":
        inner = gzip.decompress(data)
        yield from ((f"unpacked {what}", part) for what, part in layers(name.removesuffix(".gz"), inner))
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield "member name", info.filename.encode() + b"\n" + info.comment + info.extra
                yield from ((f"member {what}", part) for what, part in layers(info.filename, archive.read(info)))
    elif data[:4] == b"PAR1":
        yield "cells", repr(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
    elif name.endswith(".tar"):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for info in archive:
                yield "member name", f"{info.name} {info.uname} {info.gname} {info.pax_headers}".encode()
    elif data[128:132] == b"DICM" and b"1.2.840.10008.1.2.1.99" in data[:1024]:
        length = struct.unpack_from("<I", data, 140)[0]
        yield "inflated", zlib.decompress(data[144 + length :], -15)
