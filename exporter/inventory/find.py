"""Walk the sources: every file below them, once."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .unreadable import BROKEN_LINK, Unreadable

_LEADS_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file as the walk met it. The times tell a later run whether it has changed."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(slots=True)
class Walk:
    """What a walk over the sources gives: files in the order of their paths, and what could not be listed."""

    files: list[Found] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)


def find_files(sources: Sequence[Path], leave_out: Path, tick: Callable[[int], None] = lambda _: None) -> Walk:
    """All files below the sources, without those below ``leave_out``.

    Links are followed, after everything that needs none, so that a file which is reachable twice is listed once and
    by its own name; links in a circle end. ``tick`` hears the number of files of each folder.
    """
    walker = _Walker(os.path.realpath(leave_out), tick)
    for source in sources:
        walker.links.append(os.path.abspath(source))  # noqa: PTH100  (a link stays a link)
    walker.follow()
    walker.walk.files.sort(key=lambda found: found.path)
    walker.walk.unreadable.sort(key=lambda item: item.path)
    return walker.walk


class _Walker:
    """The state of one walk. ``links`` are the paths whose real place is still to be looked at."""

    def __init__(self, left_out: str, tick: Callable[[int], None]) -> None:
        self.walk = Walk()
        self.links: list[str] = []
        self._seen = {left_out}
        self._tick = tick

    def follow(self) -> None:
        """Visit what the links lead to; links met on the way wait for the next round."""
        while self.links:
            waiting, self.links = sorted(self.links), []
            for path in waiting:
                self._visit(path, os.path.realpath(path))

    def _visit(self, path: str, real: str) -> None:
        try:
            status = Path(path).stat()
        except OSError as error:
            if error.errno in _LEADS_NOWHERE and Path(path).is_symlink():
                self._list(path, BROKEN_LINK, "The link leads nowhere. Remove it, or put back what it led to.")
            else:
                self._list(path, "unreadable", f"The link or file cannot be followed: {error.strerror}.")
            return
        if stat.S_ISDIR(status.st_mode):
            self._folder(path, real)
        else:
            self._file(path, real, status)

    def _folder(self, top: str, real_top: str) -> None:
        pending = [(top, real_top)]
        while pending:
            path, real = pending.pop()
            if real in self._seen:
                continue
            self._seen.add(real)
            n_before = len(self.walk.files)
            for entry in self._entries(path):
                if entry.is_symlink():
                    self.links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, f"{real}/{entry.name}"))
                else:
                    self._entry(entry, f"{real}/{entry.name}")
            self._tick(len(self.walk.files) - n_before)

    def _entries(self, path: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._list(
                path, "unreadable-folder", f"The folder cannot be listed: {error.strerror}. Check its permissions."
            )
            return
        yield from listed

    def _entry(self, entry: os.DirEntry[str], real: str) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            self._list(entry.path, "unreadable", f"The file cannot be looked at: {error.strerror}.")
            return
        self._file(entry.path, real, status)

    def _file(self, path: str, real: str, status: os.stat_result) -> None:
        if real in self._seen:
            return
        self._seen.add(real)
        if not stat.S_ISREG(status.st_mode):
            self._list(path, "not-a-file", "A device, a socket or a named pipe is not read.")
            return
        self.walk.folders.add(path.rpartition("/")[0])
        self.walk.files.append(
            Found(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns)
        )

    def _list(self, path: str, reason: str, message: str) -> None:
        self.walk.unreadable.append(Unreadable(path=path, reason=reason, message=message))
