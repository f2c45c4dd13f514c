"""Voxels that a header of text describes: where they lie, of which type, and how they are read within bounds.

Libraries that read such files follow the header wherever it leads (patterns of names, lists, other folders), so header
and voxels are read here, and only in the plain forms that programs write.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .grid import MaskRefused

LONGEST_HEADER = 2**16
"""Bytes: the longest header that Slicer writes for a segmentation of many segments has some ten thousand."""

CHUNK = 2**20
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
FOREIGN = frozenset('%/\\:*?"<>|\0')
"""What a plain name of a neighbouring file does not hold: folders, drives and patterns are made with it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A volume by its header: sizes (x first), affine (LPS mm, 4×4), and where the voxels lie and how.

    ``offset`` counts bytes of ``data``, None where the voxels are its last ones.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    data: Path
    offset: int | None
    is_compressed: bool

    @property
    def size(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.shape) * self.dtype.itemsize

    def checked(self) -> Stored:
        """Itself. Raises ``MaskRefused`` F03 where the voxels are not there in full, as far as a file's size says."""
        if not 1 <= len(self.shape) <= 4 or not all(0 < size < 2**31 for size in self.shape):
            raise MaskRefused("F03", "the mask's header gives sizes that no volume has")
        there = self.data.stat().st_size - (self.offset or 0)
        if there < (1 if self.is_compressed else self.size):
            raise MaskRefused("F03", "the mask's file ends before its voxels do")
        return self

    def read(self) -> NDArray[np.generic]:
        """The voxels, x first. Raises ``OSError``, ``EOFError`` or ``zlib.error`` where they are not there in full."""
        with self.data.open("rb") as file:
            file.seek(file.seek(0, 2) - self.size if self.offset is None else self.offset)
            voxels = bytearray()
            for part in _inflated(file, self.size) if self.is_compressed else _plain(file, self.size):
                voxels += part
        return np.frombuffer(voxels, self.dtype).reshape(self.shape, order="F")


def _plain(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        part = file.read(min(size, CHUNK))
        if not part:
            raise EOFError
        size -= len(part)
        yield part


def _inflated(file: BinaryIO, size: int) -> Iterator[bytes]:
    """So many bytes of a zlib or gzip stream and not one more, whatever it holds; its checksum is checked."""
    stream = zlib.decompressobj(ZLIB_OR_GZIP)
    while not stream.eof:
        packed = stream.unconsumed_tail or file.read(CHUNK)
        if not packed:
            raise EOFError
        part = stream.decompress(packed, min(size + 1, 16 * CHUNK))
        if len(part) > size:
            raise ValueError("more voxels than the header says")
        size -= len(part)
        yield part
    if size:
        raise EOFError


def header_of(file: Path, end: bytes) -> tuple[list[str], int]:
    """The lines of a file's header and the bytes that it takes; ``end`` is a pattern up to whose match it goes.

    A header without that end is the whole file. Raises ``MaskRefused`` F03 where it is longer than 64 kB, ``OSError``
    where there is no such file.
    """
    if not file.is_file():  # a pipe would wait for ever
        raise OSError("no file")
    with file.open("rb") as stream:
        start = stream.read(LONGEST_HEADER + 1)
    found = re.search(end, start)
    if found is None and len(start) > LONGEST_HEADER:
        raise MaskRefused("F03", "the mask's header is longer than 64 kB, which no header is")
    size = found.end() if found else len(start)
    return start[:size].decode("utf-8", "replace").replace("\r\n", "\n").split("\n"), size


def beside(file: Path, name: str) -> Path:
    """The file of that name in the folder of a header. Raises ``MaskRefused`` F03 where it is another's or none."""
    if not name.isprintable() or name in ("", ".", "..") or name.startswith("LIST") or FOREIGN & set(name):
        raise MaskRefused(
            "F03", "the mask's header must name one file with the voxels, in its own folder; save the mask as one file"
        )
    path = file.parent / name
    if not path.is_file():
        raise MaskRefused("F03", "the file with the mask's voxels, which its header names, is not beside it")
    if path.resolve().parent != file.parent.resolve():
        raise MaskRefused("F03", "the file with the mask's voxels is a link out of its folder; put a copy there")
    return path
