"""The objects themselves, once the inventory knows where they are: their bytes, and files for the converter."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from ..errors import ConversionError
from .archives import HEAD_BYTES, archive_kind, members
from .elements import OddEncodingError, fragments_end
from .header import read_header
from .instance import Instance
from .source import FileSource, MemorySource, Source
from .unreadable import RefusalError

HASH_BYTES = 4 * 1024 * 1024
ONE_BY_ONE = 3
"""So many objects of an archive are looked up each by itself; then a pass over the whole archive is cheaper."""

Place = tuple[str, str]
"""Where an object lies: the file, and the member inside it or ""."""
NOWHERE: Mapping[Place, Path] = MappingProxyType({})


def read_object(instance: Instance) -> bytes:
    """All bytes of the file or archive member that holds the instance.

    Raises ``ConversionError`` (``source-lost``) where it is no longer as the inventory saw it.
    """
    with _loss_named(instance.path):
        if not instance.member:
            return Path(instance.path).read_bytes()
        return next(data for _, data in read_members(instance.path, {instance.member}))


def read_members(path: str, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The named members of an archive with their bytes, in one pass, in the archive's order.

    Raises ``ConversionError`` (``source-lost``) where one is not there any more.
    """
    wanted = set(names)
    with _loss_named(path):
        with Path(path).open("rb") as file:
            kind = archive_kind(file.read(HEAD_BYTES))
        for member in members(path, kind) if kind else ():
            if member.name in wanted and member.source:
                wanted.discard(member.name)
                yield member.name, member.source.read(0, member.source.size)
            if not wanted:
                return
    raise _gone(path, min(wanted))


def _gone(path: str, member: str) -> ConversionError:
    return ConversionError("source-lost", f"{path} no longer holds {member}. Run the export again.")


def materialise(instances: Sequence[Instance], folder: Path, unpacked: Mapping[Place, Path] = NOWHERE) -> list[Path]:
    """Put the objects of the instances into ``folder``: links to plain files, copies of archive members.

    The files are named by number in the order of first use, so that no name from outside reaches the disk. Members
    that are ``unpacked`` already are links too; for the others each archive is passed over once. Gives one path an
    instance; the frames of one object share theirs.
    Raises ``ConversionError`` (``source-lost``) and ``OSError``.
    """
    places: dict[Place, Path] = {}
    packed: dict[str, set[str]] = {}
    for instance in instances:
        place = (instance.path, instance.member)
        if place in places:
            continue
        places[place] = folder / f"{len(places):06d}.dcm"
        plain = unpacked.get(place) if instance.member else instance.path
        if plain is None:
            packed.setdefault(instance.path, set()).add(instance.member)
        else:
            os.symlink(plain, places[place])  # noqa: PTH211 - twice as fast on thousands of slices
    for path, names in packed.items():
        for name, data in read_members(path, names):
            places[path, name].write_bytes(data)
    return [places[instance.path, instance.member] for instance in instances]


def pixel_digest(instance: Instance) -> str:
    """SHA-256 of the value of the pixel data element as it is stored, of the whole object; "" where there is none.

    Deflated objects are inflated first. An archive is passed over a few times at most, however many of its members
    are asked for. Raises ``ConversionError`` (``source-lost``).
    """
    with _loss_named(instance.path):
        if instance.member:
            state = Path(instance.path).stat()
            return _digests(instance.path, state.st_size, state.st_mtime_ns, state.st_ctime_ns).of(instance)
        with FileSource(instance.path) as source:
            return _digest(source)


class _Digests:
    """The digests of one archive's members: the first few each by itself, then all in one pass."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._complete = False

    def of(self, instance: Instance) -> str:
        """The digest of one member. Raises ``ConversionError`` (``source-lost``) and what readers raise."""
        if instance.member not in self._known and not self._complete:
            if len(self._known) < ONE_BY_ONE:
                self._known[instance.member] = _digest(MemorySource(read_object(instance)))
            else:
                self._known |= _all_digests(instance.path)
                self._complete = True
        if instance.member not in self._known:
            raise _gone(instance.path, instance.member)
        return self._known[instance.member]


@lru_cache(maxsize=256)
def _digests(path: str, size: int, mtime_ns: int, ctime_ns: int) -> _Digests:
    """What is known of the archive in this state."""
    del path, size, mtime_ns, ctime_ns  # they are the key
    return _Digests()


def _all_digests(path: str) -> dict[str, str]:
    """The digests of all members that are DICOM, up to where the archive is damaged."""
    found: dict[str, str] = {}
    with Path(path).open("rb") as file:
        kind = archive_kind(file.read(HEAD_BYTES))
    with suppress(RefusalError):
        for member in members(path, kind) if kind else ():
            with suppress(RefusalError, OddEncodingError):
                if member.source:
                    found[member.name] = _digest(member.source)
    return found


def _digest(source: Source) -> str:
    header = read_header(source)
    if header.pixels is None:
        return ""
    start, length = header.pixels
    stop = start + length if length >= 0 else fragments_end(header.source, start, header.level.encoding)
    digest = hashlib.sha256()
    while start < stop:
        part = header.source.read(start, min(HASH_BYTES, stop - start))
        digest.update(part)
        start += len(part)
    return digest.hexdigest()


@contextmanager
def _loss_named(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, OddEncodingError, RefusalError) as error:
        sentence = f"{path} cannot be read any more ({error}). Put it back, or run the export again."
        raise ConversionError("source-lost", sentence) from error
