"""The folders of a tree, listed with the state of every file that an index reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from .names import NIFTI
from .places import Place
from .regular import irregular, open_regular

Stamp = tuple[int | str, ...]
"""The state of a file: its size (bytes) and time of change (ns), then whatever else tells that it was touched.

Of a local file: inode, time of status change (ns), number of links, mode, owner, group. Empty where a link leads
nowhere.
"""

READ = (*NIFTI, ".json", ".tsv", ".bval", ".parquet")
HEAD = 4096
"""Bytes at the start of a compressed image that hold its header."""

_PIECE = 1 << 16
_NAME = attrgetter("name")
_STAMP = attrgetter("st_size", "st_mtime_ns", "st_ino", "st_ctime_ns", "st_nlink", "st_mode", "st_uid", "st_gid")


def is_local(stamp: Stamp) -> bool:
    """Whether it is the state of a local file."""
    return len(stamp) == 8


class Moved(Exception):
    """A file is not, or no longer, in the state in which it was listed."""


@dataclass(slots=True)
class Folder:
    """The entries of one folder in the order of their names; ``path`` is relative to the root."""

    path: str
    folders: list[str] = field(default_factory=list)
    files: dict[str, Stamp] = field(default_factory=dict)

    @property
    def images(self) -> list[str]:
        """The NIfTI files."""
        return [name for name in self.files if name.endswith(NIFTI)]


class Tree(Protocol):
    """What an index asks of a place. ``OSError`` and :class:`ReadError` tell that something cannot be read."""

    @property
    def place(self) -> Place:
        """The root."""
        ...

    def renew(self) -> None:
        """Forget what was listed before."""
        ...

    def listing(self, folder: str) -> Folder:
        """The entries of a folder. Raises ``FileNotFoundError`` where it is not there."""
        ...

    def prefetch(self, paths: Iterable[str], heads: Iterable[str] = ()) -> None:
        """Say which files are read next, whole or their first bytes, so that they can be had at once."""
        ...

    @property
    def distant(self) -> bool:
        """Whether it pays to say what is read next."""
        ...

    def read(self, path: str, state: Stamp = ()) -> bytes:
        """A small file. Raises :class:`Moved` where a state is given and it is in another one by now."""
        ...

    def head(self, path: str, state: Stamp = ()) -> bytes:
        """The first :data:`HEAD` bytes of a file, as :meth:`read`."""
        ...

    def local(self, path: str) -> Path | None:
        """A file of this machine with this content, None where there is no such file.

        Raises :class:`ReadError` where it cannot be had, or is no plain file.
        """
        ...


class LocalTree:
    """A folder of this machine."""

    distant = False

    def __init__(self, root: Path) -> None:
        self.place: Path = root
        self._root = str(root)

    def renew(self) -> None:
        """Nothing is remembered."""

    def listing(self, folder: str) -> Folder:
        """See :class:`Tree`."""
        folders: list[str] = []
        files: dict[str, Stamp] = {}
        with os.scandir(f"{self._root}/{folder}" if folder else self._root) as entries:
            for entry in sorted(entries, key=_NAME):
                name = entry.name
                if name[0] == ".":
                    continue
                if name.endswith(READ) and not name.endswith("_qc.json"):
                    try:
                        files[name] = _STAMP(entry.stat())
                    except OSError:
                        files[name] = ()  # a link that leads nowhere or to itself, or it was removed just now
                elif entry.is_dir():
                    folders.append(name)
        return Folder(folder, folders, files)

    def prefetch(self, paths: Iterable[str], heads: Iterable[str] = ()) -> None:
        """Local files are read when they are needed."""

    def read(self, path: str, state: Stamp = ()) -> bytes:
        """See :class:`Tree`."""
        return self._bytes(path, state=state)

    def head(self, path: str, state: Stamp = ()) -> bytes:
        """See :class:`Tree`."""
        return self._bytes(path, HEAD, state)

    def _bytes(self, path: str, most: int = -1, state: Stamp = ()) -> bytes:
        """A file, or its first bytes; once an image, so without the layers of ``open``."""
        try:
            handle, now = open_regular(f"{self._root}/{path}")
        except FileNotFoundError as error:
            if state:
                raise Moved(path) from error
            raise
        try:
            if state and _STAMP(now) != state:
                raise Moved(path)
            parts = [os.read(handle, _PIECE if most < 0 else most)]
            while most < 0 and len(parts[-1]) == _PIECE:
                parts.append(os.read(handle, _PIECE))
            return b"".join(parts)
        finally:
            os.close(handle)

    def local(self, path: str) -> Path | None:
        """See :class:`Tree`."""
        file = self.place / path
        if file.is_file():
            return file
        if file.exists():
            raise irregular(file)
        return None
