"""The objects themselves, once the inventory knows where they are: their bytes, and files for the converter."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConversionError
from .archives import HEAD_BYTES, archive_kind, members
from .elements import OddEncodingError, fragments_end
from .header import read_header
from .instance import Instance
from .source import FileSource, MemorySource, Source
from .unreadable import RefusalError

HASH_BYTES = 4 * 1024 * 1024


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
    raise ConversionError("source-lost", f"{path} no longer holds {min(wanted)}. Run the export again.")


def materialise(instances: Sequence[Instance], folder: Path) -> list[Path]:
    """Put the objects of the instances into ``folder``: links to plain files, copies of archive members.

    The files are named by number in the order of first use, so that no name from outside reaches the disk. Each
    archive is passed over once. Gives one path an instance; the frames of one object share theirs.
    Raises ``ConversionError`` (``source-lost``) and ``OSError``.
    """
    places: dict[tuple[str, str], Path] = {}
    packed: dict[str, set[str]] = {}
    for instance in instances:
        place = (instance.path, instance.member)
        if place in places:
            continue
        places[place] = folder / f"{len(places):06d}.dcm"
        if instance.member:
            packed.setdefault(instance.path, set()).add(instance.member)
        else:
            os.symlink(instance.path, places[place])  # noqa: PTH211 - twice as fast on thousands of slices
    for path, names in packed.items():
        for name, data in read_members(path, names):
            places[path, name].write_bytes(data)
    return [places[instance.path, instance.member] for instance in instances]


def pixel_digest(instance: Instance) -> str:
    """SHA-256 of the value of the pixel data element as it is stored, of the whole object; "" where there is none.

    Deflated objects are inflated first. Raises ``ConversionError`` (``source-lost``).
    """
    with _loss_named(instance.path):
        if instance.member:
            return _digest(MemorySource(read_object(instance)))
        with FileSource(instance.path) as source:
            return _digest(source)


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
