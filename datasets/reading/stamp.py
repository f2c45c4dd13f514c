"""What a file holds, told without reading it: the ground of every cache key."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

GZIP = b"\x1f\x8b"
_TRAILER = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Size and time of change of a file, and how its content ends.

    Of a gzip file the trailer (RFC 1952: CRC-32 and length of what was compressed) tells another content of the same
    size and time from this one, and lets a copy with its times kept answer for the original. An uncompressed file has
    no such thing, so the time of its last change of any kind (ctime, which no program can set) and its inode stand in.
    """

    size: int
    mtime_ns: int
    crc32: int = 0
    length: int = 0
    ctime_ns: int = 0
    inode: int = 0

    @property
    def is_gzip(self) -> bool:
        """Whether it has a trailer."""
        return self.inode == 0

    def key(self, *parts: object) -> str:
        """A key for this content and whatever else decides what is made of it."""
        own = (self.size, self.mtime_ns, self.crc32, self.length, self.ctime_ns, self.inode)
        return hashlib.blake2b(repr((own, parts)).encode(), digest_size=20).hexdigest()


def stamp_of(file: BinaryIO) -> Stamp:
    """The stamp of an open file. Raises :class:`OSError`."""
    number = file.fileno()
    stat = os.fstat(number)
    if stat.st_size >= 18 and os.pread(number, 2, 0) == GZIP:
        crc, length = _TRAILER.unpack(os.pread(number, 8, stat.st_size - 8))
        return Stamp(stat.st_size, stat.st_mtime_ns, crc, length)
    return Stamp(stat.st_size, stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns, inode=stat.st_ino)
