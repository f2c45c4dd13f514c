"""Keeping a cache folder within its bound: what has not been used for longest goes first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ABANDONED_S = 3600.0


@dataclass(frozen=True, slots=True)
class Found:
    """A blob in the folder: its size in bytes, and when it was used last (s since 1970)."""

    path: Path
    size: int
    used: float
    unfinished: bool = False


def files_of(folder: Path) -> list[Found]:
    """All finished blobs."""
    return [found for found in _all(folder) if not found.unfinished]


def evict(folder: Path, max_bytes: int) -> None:
    """Delete the blobs used least recently, if all take more than 15/16 of the bound, until they take 7/8 of it.

    The room that is left is for the other processes that write at the same time. What a process left behind when it
    was killed in the middle of writing goes after an hour. Who has mapped a blob keeps what it holds. Raises
    :class:`OSError` where the folder cannot be read or written.
    """
    found = sorted(_all(folder), key=lambda one: one.used)
    total = sum(one.size for one in found)
    stop = max_bytes - max_bytes // 8 if total > max_bytes - max_bytes // 16 else total
    for one in found:
        if (one.unfinished and time.time() - one.used > _ABANDONED_S) or (total > stop and not one.unfinished):
            one.path.unlink(missing_ok=True)
            total -= one.size


def _all(folder: Path) -> Iterator[Found]:
    for part in _entries(folder):
        if len(part.name) == 2 and part.is_dir(follow_symlinks=False):
            for entry in _entries(Path(part.path)):
                unfinished = entry.name.endswith(".tmp")
                if not unfinished and not entry.name.endswith(".blob"):
                    continue
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # another process was faster
                    continue
                used = stat.st_mtime if unfinished else max(stat.st_atime, stat.st_mtime)
                yield Found(Path(entry.path), stat.st_size, used, unfinished)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
