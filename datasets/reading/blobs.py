"""Files that hold arrays to be mapped: the arrays first, what they are at the end.

::

    array 0 | gap | array 1 | … | description (JSON) | length, CRC-32 of the description, magic

Each array of some size starts at a multiple of the granule of memory maps, so that it can be mapped by itself; gaps
take no space.
The end is written last and found first: a file that was cut or never finished has no end, and is no blob.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

MAGIC = b"trialblb"
_END = struct.Struct("<QI8s")
_GRANULE = max(mmap.ALLOCATIONGRANULARITY, 1 << 14)
_TAIL = 1 << 13
_SMALL = 1 << 12


class Damaged(Exception):
    """A file that is no whole blob."""


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


class Blob:
    """An open blob. Use it with ``with``: what was mapped from it stays valid after it is closed or deleted.

    Raises :class:`FileNotFoundError` where there is none, :class:`Damaged` where it is not whole.
    """

    def __init__(self, path: Path | str) -> None:
        self.file = FileIO(path, "r")
        try:
            self.body, self.places = self._description()
        except Damaged:
            self.file.close()
            raise

    def __enter__(self) -> Blob:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _description(self) -> tuple[Any, tuple[Place, ...]]:
        size = os.fstat(self.file.fileno()).st_size
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
        said = json.loads(text)
        places = tuple(Place(o, np.dtype(d), tuple(s), c) for o, d, s, c in said["places"])
        if any(place.offset + place.nbytes > size for place in places):
            raise Damaged("its arrays are cut")
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
            taken = _write(file, body, arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return taken


def _write(file: Any, body: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> int:
    places: list[tuple[int, str, Sequence[int], int]] = []
    taken = 0
    for array in arrays:
        align = _GRANULE if array.nbytes > _SMALL else 16
        offset = -(-file.tell() // align) * align
        file.seek(offset)
        flat: Any = array.reshape(-1).view(np.uint8)
        places.append((offset, array.dtype.str, array.shape, isal_zlib.crc32(flat)))
        taken += file.write(flat.data)
    text = json.dumps({"body": body, "places": places}).encode()
    taken += file.write(text)
    return taken + file.write(_END.pack(len(text), isal_zlib.crc32(text), MAGIC))
