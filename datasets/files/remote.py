"""A tree behind fsspec, listed once and read by ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .places import Url, fetch_known, file_system, reading, token_of
from .trees import HEAD, READ, Folder, Stamp

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class RemoteTree:
    """The tree at an address. One listing serves until :meth:`renew`; no file is read twice for one index."""

    distant = True

    def __init__(self, url: Url) -> None:
        self.place: Url = url
        self._files, self._base = file_system(url)
        self._folders: dict[str, Folder] | None = None
        self._tokens: dict[str, str] = {}
        self._ahead: dict[str, bytes] = {}
        self._heads: dict[str, bytes] = {}

    def renew(self) -> None:
        """See :class:`Tree`."""
        self._files.invalidate_cache()
        self._folders = None

    def listing(self, folder: str) -> Folder:
        """See :class:`Tree`."""
        if self._folders is None:
            self._folders = self._list()
        if folder not in self._folders:
            raise FileNotFoundError(2, "no such folder", str(self.place / folder))
        return self._folders[folder]

    def _list(self) -> dict[str, Folder]:
        with reading(self.place):
            found = dict(self._files.find(self._base, detail=True))
        folders: dict[str, Folder] = {"": Folder("")}
        self._tokens = {}
        for full in sorted(found):
            if not f"{full}/".startswith(f"{self._base}/"):
                continue  # a link to elsewhere
            path = full[len(self._base) :].strip("/")
            folder, _, name = path.rpartition("/")
            if any(part.startswith(".") for part in path.split("/")):
                continue
            holder = _make(folders, folder)
            self._tokens[path] = token_of(found[full])
            if name.endswith(READ) and not name.endswith("_qc.json"):
                holder.files[name] = _stamp(found[full])
        for each in folders.values():
            each.folders.sort()
        return folders

    def prefetch(self, paths: Iterable[str], heads: Iterable[str] = ()) -> None:
        """Ask for many files at once; what cannot be had is told when it is read."""
        whole = {self._inner(path): path for path in paths}
        starts = {self._inner(path): path for path in heads}
        if whole:
            got: Any = self._files.cat(list(whole), on_error="omit")
            self._ahead.update({whole[inner]: content for inner, content in got.items() if inner in whole})
        if starts:
            parts = self._files.cat_ranges(list(starts), 0, HEAD, on_error="return")
            pairs = zip(starts.values(), parts, strict=True)
            self._heads.update({path: part for path, part in pairs if isinstance(part, bytes)})

    def read(self, path: str, state: Stamp = ()) -> bytes:
        """See :class:`Tree`."""
        if path in self._ahead:
            return self._ahead.pop(path)
        with reading(self.place / path):
            return _bytes(self._files.cat_file(self._inner(path)))

    def head(self, path: str, state: Stamp = ()) -> bytes:
        """See :class:`Tree`."""
        if path in self._heads:
            return self._heads.pop(path)
        with reading(self.place / path):
            return _bytes(self._files.cat_file(self._inner(path), start=0, end=HEAD))

    def local(self, path: str) -> Path | None:
        """See :class:`Tree`."""
        if self._folders is None:
            self._folders = self._list()
        token = self._tokens.get(path)
        return None if token is None else fetch_known(self.place / path, token)

    def _inner(self, path: str) -> str:
        return f"{self._base}/{path}" if self._base else path


def _make(folders: dict[str, Folder], path: str) -> Folder:
    """The folder of a path, with all that it lies in."""
    if path not in folders:
        folders[path] = Folder(path)
        above, _, name = path.rpartition("/")
        _make(folders, above).folders.append(name)
    return folders[path]


def _stamp(info: Mapping[str, Any]) -> Stamp:
    """Size and time of change, 0 where none is told, and every other mark."""
    times = (info[name] for name in _TIMES if info.get(name) is not None)
    return (int(info.get("size") or 0), _nanoseconds(next(times, 0)), token_of(dict(info)))


def _nanoseconds(time: object) -> int:
    if isinstance(time, datetime):
        return int(time.timestamp() * 1e9)
    if isinstance(time, int | float):
        return int(time * 1e9)
    if isinstance(time, str):
        try:
            return int(datetime.fromisoformat(time).timestamp() * 1e9)
        except ValueError:
            return 0
    return 0


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
