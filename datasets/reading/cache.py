"""A folder of blobs that many processes share: what was decoded or transformed once is mapped the next time."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import QueryError
from .blobs import Blob, Damaged, write_blob
from .eviction import evict, files_of

DESCRIPTION = "dataset_description.json"
"""What makes a folder a BIDS dataset."""
_SOURCES = Path(__file__).parents[1]
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)i?B?\s*", re.IGNORECASE)
_SHARE = 64


@once
def code_version() -> str:
    """What of this code decides the content of a blob; part of every key.

    A release is told by its version; a checkout, whose version stays while its code changes, by its source as well.
    """
    source = hashlib.blake2b(digest_size=8)
    for path in sorted(_SOURCES.rglob("*.py")):
        source.update(path.read_bytes())
    return f"{version('trialbids')} {source.hexdigest()} {sys.byteorder} {np.dtype(np.intp).itemsize}"


class Cache:
    """Blobs in a folder, at most ``max_bytes`` of them (such as ``"50GB"`` or a number; None is without bound).

    >>> dataset = CohortDataset(train, transform, cache=Cache("/scratch/cache"))   # doctest: +SKIP

    The folder may be shared by any number of datasets, projects, processes and ranks. Keys are made of content, so a
    file that changes is read anew and nothing has to be cleared by hand; what has not been used for longest goes
    first. A blob that is in use may be deleted at any time, also by hand. Where the folder cannot be written, one
    warning says so and reading goes on without it.

    A blob is on the disk before it has its name, so neither a killed process nor a loss of power leaves half a one.
    Its voxels are mapped, and not compared with their checksum each time, which would read the whole of every image
    for a patch of it: :meth:`verify` does that, where a disk is suspected to change what it holds.

    Raises :class:`QueryError` for a size that cannot be meant, or where ``folder`` is a file or lies in a BIDS tree,
    which is released with all that is in it.
    """

    def __init__(self, folder: str | Path, max_bytes: int | str | None = "50GB") -> None:
        self.folder = Path(folder)
        self.max_bytes = _bytes(max_bytes)
        if self.folder.exists() and not self.folder.is_dir():
            raise QueryError(f"Cache: {self.folder} is a file; name a folder.")
        whole = self.folder.resolve()
        for above in (whole, *whole.parents):
            if (above / DESCRIPTION).exists():
                raise QueryError(
                    f"Cache: {self.folder} lies inside the BIDS tree {above}; name a folder outside of it."
                )
        self._start()

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r}, max_bytes={self.max_bytes})"

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "max_bytes": self.max_bytes, "writable": self._writable}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.folder, self.max_bytes = state["folder"], state["max_bytes"]
        self._start()
        self._writable = state["writable"]

    def _start(self) -> None:
        self._used: set[str] = set()
        self._unseen: int | None = None
        self._writable = True

    def readonly(self) -> Cache:
        """The same folder, into which nothing is written."""
        other = Cache(self.folder, self.max_bytes)
        other._writable = False
        return other

    def path_of(self, key: str) -> Path:
        """Where the blob of a key is or would be."""
        return self.folder / key[:2] / f"{key}.blob"

    def find(self, key: str) -> Blob | None:
        """The blob of a key, open, or None. A damaged one is deleted and not found."""
        try:
            blob = Blob(f"{self.folder}/{key[:2]}/{key}.blob")  # Path is slow, and this is done for every image
        except OSError:
            return None
        except Damaged as error:
            self.discard(key, error)
            return None
        if key not in self._used:
            self._used.add(key)
            _note_use(self.path_of(key))
        return blob

    def discard(self, key: str, error: Damaged) -> None:
        """Delete the blob of a key that cannot be used, and warn of it."""
        path = self.path_of(key)
        warnings.warn(f"{path}: {error}; it is made anew.", stacklevel=3)
        _delete(path)

    def keep(self, key: str, body: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
        """Write a blob of C-contiguous arrays and a description, if there is room for it at all."""
        size = sum(array.nbytes for array in arrays)
        if not self._writable or (self.max_bytes is not None and size > self.max_bytes // 4):
            return
        try:
            taken = write_blob(self.path_of(key), body, arrays)
            self._used.add(key)
            self._make_room(taken)
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"{self.folder}: the cache cannot be written ({error.strerror or error}); what it does not hold yet is "
                "read from the images each time. Make room or name another folder.",
                stacklevel=2,
            )

    def _make_room(self, taken: int) -> None:
        """Look at the whole folder after every 64th of the bound, written by this process."""
        if self.max_bytes is None:
            return
        unseen = self.max_bytes if self._unseen is None else self._unseen + taken
        self._unseen = unseen
        if unseen >= self.max_bytes // _SHARE:
            self._unseen = 0
            evict(self.folder, self.max_bytes)

    def size(self) -> int:
        """Bytes of all blobs that are there now."""
        return sum(found.size for found in files_of(self.folder))

    def verify(self) -> tuple[Path, ...]:
        """Read every blob whole and delete the damaged ones, as where the disk is suspected; returns those."""
        return tuple(self._damaged())

    def _damaged(self) -> Iterator[Path]:
        for found in files_of(self.folder):
            try:
                with Blob(found.path) as blob:
                    blob.check()
            except Damaged:
                _delete(found.path)
                yield found.path
            except FileNotFoundError:
                continue


def _bytes(size: int | str | None) -> int | None:
    if size is None or (isinstance(size, int) and size > 0):
        return size
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None or not float(match[1]):
        raise QueryError(f"Cache: max_bytes={size!r} is no size; write a number of bytes, or '50GB', '800MB', None")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2].upper() or " "))


def _note_use(path: Path) -> None:
    """Set the time of access, which the file system may not do by itself; a read-only folder keeps no such notes."""
    try:
        stat = path.stat()
        os.utime(path, ns=(time.time_ns(), stat.st_mtime_ns))
    except OSError:
        return


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return
