"""Files that hold arrays to be mapped: the arrays first, what they are at the end.

::

    array 0 | gap | array 1 | … | description (JSON) | length, CRC-32 of the description, magic

The description holds the name of the blob as well: under another name it is no blob, whatever it holds.
Each array of some size starts at a multiple of the granule of memory maps, so that it can be mapped by itself; gaps
take no space.
The end is written last and found first: a file that was cut or never finished has no end, and is no blob.
"""

from __future__ import annotations

import json
import math
import mmap
import operator
import os
import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

from ..errors import ReadError
from ..files.regular import open_regular

MAGIC = b"trialblb"
_END = struct.Struct("<QI8s")
_GRANULE = max(mmap.ALLOCATIONGRANULARITY, 1 << 14)
_TAIL = 1 << 13
_SMALL = 1 << 12


class Damaged(Exception):
    """A file that is no whole blob, or not the one that its name says."""


@contextmanager
def believed() -> Iterator[None]:
    """Turn what goes wrong in making something of a description into :class:`Damaged`: its checksum is right, so it
    was written by somebody else, or by hand."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, RuntimeError) as error:
        raise Damaged(f"its description is none of ours ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies in a blob: bytes from its start, and how they are to be seen (C order)."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    crc32: int

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def is_sound(self, end: int) -> bool:
        """Whether it can be mapped, and lies before ``end``. Raises ``TypeError`` for what is no number."""
        if min((self.offset, *self.shape)) < 0 or self.offset + self.nbytes > end:
            return False
        align = _GRANULE if self.nbytes > _SMALL else 1
        return self.dtype.kind in "biufc" and operator.index(self.offset) % align == 0


class Blob:
    """An open blob. Use it with ``with``: what was mapped from it stays valid after it is closed or deleted.

    Raises :class:`FileNotFoundError` where there is none, :class:`Damaged` where it is not whole, no plain file, or
    was written under another name.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            handle, state = open_regular(path)
        except ReadError as error:
            raise Damaged("it is no plain file") from error
        self.file = FileIO(handle, "r")
        try:
            self.body, self.places = self._description(state.st_size, _name(path))
        except Damaged:
            self.file.close()
            raise

    def __enter__(self) -> Blob:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _description(self, size: int, name: str) -> tuple[Any, tuple[Place, ...]]:
        tail = self._read(max(0, size - _TAIL), min(size, _TAIL))
        if len(tail) < _END.size:
            raise Damaged("it is shorter than its end")
        length, crc, magic = _END.unpack(tail[-_END.size :])
        if magic != MAGIC or length > size - _END.size:
            raise Damaged("it has no end")
        if length > len(tail) - _END.size:
            tail = self._read(size - _END.size - length, length + _END.size)
        text = tail[-_END.size - length : -_END.size]
        if isal_zlib.crc32(text) != crc:
            raise Damaged("its description is damaged")
        with believed():
            said = json.loads(text)
            places = tuple(Place(o, np.dtype(d), tuple(s), c) for o, d, s, c in said["places"])
            if not all(place.is_sound(size - _END.size - length) for place in places):
                raise Damaged("its arrays are cut")
            if said["name"] != name:
                raise Damaged(f"it is the blob {str(said['name'])[:40]}")
            return said["body"], places

    def _read(self, offset: int, length: int) -> bytes:
        return os.pread(self.file.fileno(), length, offset)

    def array(self, place: Place) -> np.ndarray:
        """Map one array: pages are read when they are touched, and written to in this process alone.

        A small one is read at once, which is faster.
        """
        if place.nbytes <= _SMALL:
            small = bytearray(self._read(place.offset, place.nbytes))
            return np.frombuffer(small, place.dtype).reshape(place.shape)
        mapped = mmap.mmap(self.file.fileno(), place.nbytes, access=mmap.ACCESS_COPY, offset=place.offset)
        return np.frombuffer(mapped, place.dtype).reshape(place.shape)

    def check(self) -> None:
        """Read every array whole. Raises :class:`Damaged` where a byte is not what was written."""
        for number, place in enumerate(self.places):
            if isal_zlib.crc32(self._read(place.offset, place.nbytes)) != place.crc32:
                raise Damaged(f"array {number} is damaged")


def write_blob(path: Path, body: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> int:
    """Write C-contiguous arrays and a JSON-able description; returns the bytes taken on disk.

    The file appears whole or not at all, and never changes afterwards: two who write the same do no harm. It is on
    the disk before it gets its name, so that a loss of power leaves no blob of zeros. Raises :class:`OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            taken = _write(file, _name(path), body, arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return taken


def _name(path: Path | str) -> str:
    """The name of a blob, which is the key of what it holds."""
    return str(path).replace(os.sep, "/").rpartition("/")[2].partition(".")[0]  # Path is slow, see Cache.find


def _write(file: Any, name: str, body: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> int:
    places: list[tuple[int, str, Sequence[int], int]] = []
    taken = 0
    for array in arrays:
        align = _GRANULE if array.nbytes > _SMALL else 16
        offset = -(-file.tell() // align) * align
        file.seek(offset)
        flat: Any = array.reshape(-1).view(np.uint8)
        places.append((offset, array.dtype.str, array.shape, isal_zlib.crc32(flat)))
        taken += file.write(flat.data)
    text = json.dumps({"name": name, "body": body, "places": places}).encode()
    taken += file.write(text)
    return taken + file.write(_END.pack(len(text), isal_zlib.crc32(text), MAGIC))
