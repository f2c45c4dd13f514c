"""Read the headers of files and archives: what a worker does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .archives import HEAD_BYTES, Member, archive_kind, members, refuse_nested
from .batch import Batch
from .elements import OddEncodingError
from .find import Found
from .header import read_any, read_header
from .instance import Instance
from .layouts import forget, layouts
from .rows import Origin, instances
from .source import FileSource, Source, StreamSource
from .table import to_table
from .unreadable import RefusalError, Unreadable


@dataclass(slots=True)
class Readings:
    """What some files gave: their instances and what could not be read.

    ``retry`` are the files that the operating system refused; they must be tried again on the next run.
    """

    rows: list[Instance] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    retry: set[str] = field(default_factory=set)


def read_files(files: Sequence[Found]) -> Batch:
    """Read some files. Never raises for what is in them."""
    forget()
    readings = Readings()
    for found in files:
        read_file(found, readings)
    return Batch(
        table=to_table(Instance, readings.rows),
        unreadable=tuple(readings.unreadable),
        retry=frozenset(readings.retry),
        layouts=layouts(row.layout for row in readings.rows),
    )


def read_file(found: Found, readings: Readings) -> None:
    """Read one file, whatever it is, into ``readings``."""
    try:
        with FileSource(found.path) as source:
            kind = _kind(source)
            if not kind:
                readings.rows += read_object_rows(source, Origin(found.path, "", source.size, found.mtime_ns))
        if kind:
            _read_archive(found, kind, readings)
    except RefusalError as refusal:
        readings.unreadable.append(_listed(found.path, "", refusal))
    except OSError as error:
        readings.retry.add(found.path)
        message = f"The file cannot be read: {error.strerror or error}. Check its permissions and the disk."
        readings.unreadable.append(Unreadable(path=found.path, reason="unreadable", message=message))


def read_object_rows(source: Source, origin: Origin) -> list[Instance]:
    """The rows of one object: by the fast reader, and by pydicom where its sequences are odd.

    Raises ``RefusalError``.
    """
    try:
        return instances(read_header(source), origin)
    except OddEncodingError:
        pass
    try:
        return instances(read_any(source), origin)
    except OddEncodingError as error:
        raise RefusalError("corrupt", f"The header cannot be decoded: {error}. Ask for the file again.") from None


def _kind(source: Source) -> str:
    """The kind of archive, "" for everything else; DICOM is tried first, since a preamble may look like anything."""
    head = source.read(0, HEAD_BYTES)
    return "" if head[128:132] == b"DICM" else archive_kind(head)


def _read_archive(found: Found, kind: str, readings: Readings) -> None:
    for member in members(found.path, kind):
        try:
            readings.rows += _read_member(member, found)
        except RefusalError as refusal:
            readings.unreadable.append(_listed(found.path, member.name, refusal))


def _read_member(member: Member, found: Found) -> list[Instance]:
    if member.refusal or member.source is None:
        raise member.refusal or RefusalError("corrupt", "The member has no content.")
    head = member.source.read(0, HEAD_BYTES)
    if head[128:132] != b"DICM":
        refuse_nested(head)
    rows = read_object_rows(member.source, Origin(found.path, member.name, member.source.size, found.mtime_ns))
    if isinstance(member.source, StreamSource):
        member.source.drain()
    return rows


def _listed(path: str, member: str, refusal: RefusalError) -> Unreadable:
    return Unreadable(
        path=path, member=member, reason=refusal.reason, message=refusal.message, series_uid=refusal.series_uid
    )
