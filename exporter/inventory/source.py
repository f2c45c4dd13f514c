"""Random access to the bytes of one object, wherever they lie, without reading more than is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Protocol

from .damage import damage_named
from .unreadable import RefusalError

HEAD_BYTES = 16 * 1024
"""How much is read at once: most headers end within it."""

DRAIN_BYTES = 1024 * 1024


class Source(Protocol):
    """The bytes of one DICOM object. ``size`` is their number."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``start``; fewer only at the end."""
        ...


class MemorySource:
    """Bytes that are in memory already."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]


class FileSource:
    """An open file. The first bytes are kept, since every reader starts there."""

    def __init__(self, path: str | Path) -> None:
        """Open ``path``. Raises ``OSError``."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.size = os.fstat(self._descriptor).st_size
            self._head = os.pread(self._descriptor, HEAD_BYTES, 0)
        except OSError:
            os.close(self._descriptor)
            raise

    def read(self, start: int, length: int) -> bytes:
        """As every source. Raises ``OSError`` where the file shrinks under the reader."""
        if start + length <= len(self._head) or self.size <= len(self._head):
            return self._head[start : start + length]
        parts: list[bytes] = []
        while length > 0 and (part := os.pread(self._descriptor, length, start)):
            parts.append(part)
            start += len(part)
            length -= len(part)
        if length > 0 and start < self.size:
            raise OSError(f"it became shorter while it was read, {start} bytes instead of {self.size}")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class StreamSource:
    """A stream that runs forward only, such as a member of a compressed archive; what was read is kept."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._kept = bytearray()
        self.size = size

    def read(self, start: int, length: int) -> bytes:
        stop = min(start + length, self.size)
        while len(self._kept) < stop:
            part = self._take(max(HEAD_BYTES, stop - len(self._kept)))
            if not part:
                raise RefusalError(
                    "truncated", f"The archive holds {len(self._kept)} of the member's {self.size} bytes."
                )
            self._kept += part
        return bytes(self._kept[start:stop])

    def drain(self) -> None:
        """Read to the end without keeping, so that checksums are verified and a missing tail is noticed."""
        seen = len(self._kept)
        while part := self._take(DRAIN_BYTES):
            seen += len(part)
        if seen < self.size:
            raise RefusalError("truncated", f"The archive holds {seen} of the member's {self.size} bytes.")

    def _take(self, length: int) -> bytes:
        with damage_named("The member cannot be unpacked"):
            return self._stream.read(length)
