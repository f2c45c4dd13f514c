"""Where files lie: a folder of this machine, or a URL that fsspec can read, with its local copies.

``s3://bucket/bids``, ``gs://…``, ``https://…``, ``memory://…``: whatever fsspec has a file system for; what such a
file system needs to be told (keys, endpoints) is told in fsspec's own configuration. ``file://`` is a plain path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..errors import DatasetError, ReadError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CACHE = "TRIALBIDS_CACHE"
"""The environment variable that names the folder of local copies and indexes."""

_PLAIN = re.compile(r"(?!\.{1,2}$)[^/\\:\0]+")
"""A name that stays in its folder on every system."""
_SAID_NO = (404, 410)
_CLIENTS = {"aiohttp": "ClientError", "gcsfs.retry": "HttpError"}
"""Classes of errors that file systems of fsspec let through and that are no ``OSError``, by their module."""
_TOKENS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "modified", "created", "md5", "version")


@dataclass(frozen=True, slots=True)
class Url:
    """The address of a tree or a file behind fsspec; ``url / "sub-01"`` is what lies below it."""

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, below: str) -> Url:
        return Url(f"{self.address.rstrip('/')}/{below}") if below else self

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.rstrip("/").rpartition("/")[2]


Place = Path | Url
"""A root, or a file: ``place / "sub-01/…"`` and ``str(place)`` work for both."""


def place_of(root: str | Path | Url) -> Place:
    """A place from what a caller gives: an absolute path, or the address of a file system that fsspec knows.

    >>> place_of("s3://bucket/bids/")
    Url(address='s3://bucket/bids')
    """
    if isinstance(root, Url):
        return root
    text = str(root)
    if isinstance(root, Path) or "://" not in text:
        return Path(root).absolute()
    if text.startswith("file://"):
        return Path(unquote(urlsplit(text).path)).absolute()
    return Url(text.rstrip("/"))


def cache_folder() -> Path:
    """Where local copies and indexes lie: ``$TRIALBIDS_CACHE``, else ``trialbids`` in ``$XDG_CACHE_HOME``."""
    if given := os.environ.get(CACHE):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).absolute() if base else Path.home() / ".cache") / "trialbids"


def fetch(path: str | Path | Url) -> Path:
    """A file of this machine with the content of ``path``: a path as it is, of a URL a local copy.

    A copy is known by its address and by what the file system says of its state (etag, size, time), so that a file
    that was replaced is fetched again. Copies lie in :func:`cache_folder`; several processes may fetch at once.
    Raises :class:`ReadError` where it cannot be fetched.
    """
    if isinstance(path, Path) or (isinstance(path, str) and "://" not in path):
        return path if isinstance(path, Path) else Path(path)
    place = place_of(path)
    if isinstance(place, Path):
        return place
    files, inner = file_system(place)
    with reading(place):
        info = files.info(inner)
    return fetch_known(place, token_of(info))


def fetch_known(url: Url, token: str) -> Path:
    """As :func:`fetch`, of a file whose state is already known. Raises :class:`ReadError`."""
    key = hashlib.sha256(f"{url}\n{token}".encode()).hexdigest()
    copy = cache_folder() / "files" / key[:2] / key / (url.name if _PLAIN.fullmatch(url.name) else "file")
    if copy.is_file():
        return copy
    files, inner = file_system(url)
    try:
        with reading(url), replacing(copy) as part:
            files.get_file(inner, str(part))
    except OSError as error:
        raise ReadError(
            f"{url}: it cannot be copied to {copy.parent} ({error}); make room there, or set {CACHE} to another folder."
        ) from error
    return copy


def token_of(info: dict[str, Any]) -> str:
    """What tells the state of a file behind fsspec: its size and every mark of change that is told."""
    marks = [f"{name}={info[name]}" for name in _TOKENS if info.get(name) is not None]
    return " ".join([f"size={info.get('size')}", *marks])


def file_system(url: Url) -> tuple[AbstractFileSystem, str]:
    """The file system of an address, and the path in it. Raises :class:`DatasetError` where fsspec has none."""
    try:
        import fsspec
    except ImportError as error:
        raise DatasetError(f"{url}: an address needs fsspec; pip install 'trialbids[remote]'.") from error
    try:
        files, inner = fsspec.url_to_fs(url.address)
    except (ImportError, ValueError) as error:
        raise DatasetError(f"{url}: fsspec cannot open such an address ({error}).") from error
    return files, str(inner).rstrip("/")


@contextlib.contextmanager
def reading(url: Url) -> Iterator[None]:
    """Turn what a file system says of a failed read into :class:`ReadError`."""
    try:
        yield
    except FileNotFoundError as error:
        told = error.__cause__  # of HTTP, any answer but a file becomes this error
        if isinstance(told, _clients()) and getattr(told, "status", None) not in _SAID_NO:
            raise ReadError(f"{url}: it cannot be read; the server answered: {told}.") from error
        raise ReadError(f"{url}: there is no such file.") from error
    except (PermissionError, TimeoutError, ConnectionError) as error:
        raise ReadError(f"{url}: it cannot be read ({error}).") from error
    except _clients() as error:
        raise ReadError(f"{url}: it cannot be read; the server answered: {error}.") from error


def _clients() -> tuple[type[Exception], ...]:
    """The classes of errors of the clients that are in use."""
    return tuple(getattr(sys.modules[name], error) for name, error in _CLIENTS.items() if name in sys.modules)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` that takes its place when it is whole; nothing is left where writing failed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
