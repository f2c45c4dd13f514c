"""Archives, read in memory and in order: zip, and tar with or without compression.

Nothing is written to disk here. What is not safe is refused and named; a damaged archive gives what comes before the
damage. The limits hold for the bytes that really come out, whatever the archive declares.
"""

from __future__ import annotations

import bz2
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import zstandard
from isal import igzip

from .damage import damage_named
from .source import MemorySource, Source, StreamSource
from .unreadable import RefusalError

MAX_MEMBERS = 2_000_000
MAX_MEMBER_BYTES = 4 * 1024**3
"""A member is read in memory."""
MAX_ARCHIVE_BYTES = 2 * 1024**4
MAX_RATIO = 200
"""Bytes out for each byte in. DICOM compresses 2 to 5 times, blank images up to 100 times."""
BOMB_FLOOR = 64 * 1024**2
"""Below this many bytes out no ratio makes a bomb."""
HEAD_BYTES = 512

_COMPRESSIONS = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}
_UNSUPPORTED = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"MSCF\0\0\0\0": "cab"}
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name and bytes, or why it is refused. ``source`` is good until the next member is asked for."""

    name: str
    source: Source | None
    refusal: RefusalError | None = None


def archive_kind(head: bytes) -> str:
    """What archive begins with these bytes: ``zip``, ``tar``, ``gz``, ``bz2``, ``xz``, ``zst``, or "".

    Raises ``RefusalError`` (unsupported-archive) for kinds that are known and not read.
    """
    if head[:4] in _ZIP_MAGIC:
        return "zip"
    for magic, kind in _COMPRESSIONS.items():
        if head.startswith(magic):
            return kind
    for magic, kind in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise RefusalError("unsupported-archive", f"Archives of the kind {kind} are not read. Unpack it first.")
    return "tar" if _is_tar(head) else ""


def members(path: str, kind: str) -> Iterator[Member]:
    """The members of an archive in its own order; directories are passed over.

    A single compressed DICOM file is an archive of one member, named like the file without its last suffix.
    Raises ``RefusalError`` where the archive as a whole cannot be read on (corrupt, bomb, not-dicom), ``OSError``.
    """
    with damage_named("The archive is damaged, and only what came before was read"):
        found = _zip_members(path) if kind == "zip" else _tar_members(path, kind)
        seen: set[str] = set()
        for member in found:
            if len(seen) >= MAX_MEMBERS:
                raise RefusalError("bomb", f"The archive has more than {MAX_MEMBERS} members; the rest was left alone.")
            if member.name in seen:
                yield _refused(member.name, "its name stands in the archive more than once; the first one was read")
            else:
                seen.add(member.name)
                yield member


def refuse_nested(head: bytes) -> None:
    """Raise ``RefusalError`` (nested-archive) where a member that begins with ``head`` is itself an archive."""
    kind = archive_kind(head)
    if kind in _COMPRESSIONS.values():
        kind = "tar" if _is_tar(_inflated_head(head, kind)) else ""
    if kind and not _is_office(head):
        raise RefusalError("nested-archive", "An archive inside an archive is not opened. Unpack the outer one first.")


# --- zip


def _zip_members(path: str) -> Iterator[Member]:
    packed = Path(path).stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if entries and entries[0].filename in ("[Content_Types].xml", "mimetype"):
            raise RefusalError("not-dicom", "The content is an office document, not DICOM.")
        total = 0
        for entry in entries:
            if entry.is_dir():
                continue
            refusal = _zip_refusal(entry)
            if not refusal:
                total += entry.file_size
                if total > MAX_ARCHIVE_BYTES or (total > BOMB_FLOOR and total > MAX_RATIO * packed):
                    raise _bomb(total)
            yield refusal or _zip_member(archive, entry)


def _zip_refusal(entry: zipfile.ZipInfo) -> Member | None:
    name, mode = entry.filename, entry.external_attr >> 16
    if problem := unsafe_name(name):
        return _refused(name, problem)
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        return _refused(name, "it is a link or a device")
    if entry.flag_bits & 0x1:
        sentence = "The member is encrypted. Unpack the archive with its password first."
        return Member(name, None, RefusalError("encrypted", sentence))
    grown = entry.file_size > BOMB_FLOOR and entry.file_size > MAX_RATIO * max(entry.compress_size, 1)
    if grown or entry.file_size > MAX_MEMBER_BYTES:
        return Member(name, None, _bomb(entry.file_size))
    return None


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    try:
        with damage_named("The member cannot be unpacked"):
            return Member(entry.filename, StreamSource(cast(BinaryIO, archive.open(entry)), entry.file_size))
    except RefusalError as refusal:
        return Member(entry.filename, None, refusal)


# --- tar


class _Meter:
    """The uncompressed side of a compressed stream; it stops a bomb while it grows."""

    def __init__(self, stream: BinaryIO, packed: BinaryIO) -> None:
        self._stream = stream
        self._packed = packed
        self._total = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._total += len(data)
        if self._total > MAX_ARCHIVE_BYTES or (
            self._total > BOMB_FLOOR and self._total > MAX_RATIO * max(self._packed.tell(), 1)
        ):
            raise _bomb(self._total)
        return data


class _Joined:
    """A stream whose first bytes were already taken."""

    def __init__(self, head: bytes, stream: _Meter) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._stream.read(size)
        if size < 0:
            head, self._head = self._head, b""
            return head + self._stream.read()
        head, self._head = self._head[:size], self._head[size:]
        return head


def _tar_members(path: str, kind: str) -> Iterator[Member]:
    with Path(path).open("rb") as packed:
        if kind == "tar":
            with tarfile.open(fileobj=packed, mode="r:") as archive:
                yield from _each_of_tar(archive)
            return
        meter = _Meter(_decompressor(packed, kind), packed)
        head = _read_fully(meter, HEAD_BYTES)
        stream = _Joined(head, meter)
        if _is_tar(head):
            with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", bufsize=256 * 1024) as archive:
                yield from _each_of_tar(archive)
        elif head[128:132] == b"DICM":
            yield Member(PurePosixPath(path).stem, MemorySource(_whole(stream)))
        elif not head:
            raise RefusalError("truncated", "Nothing can be unpacked from the compressed file. Copy it again.")
        else:
            raise RefusalError("not-dicom", "The content is a compressed file, neither an archive nor DICOM.")


def _each_of_tar(archive: tarfile.TarFile) -> Iterator[Member]:
    while (entry := archive.next()) is not None:
        archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  # it would keep every entry
        if entry.isdir():
            continue
        if problem := unsafe_name(entry.name) or _tar_problem(entry):
            yield _refused(entry.name, problem)
        elif entry.size > MAX_MEMBER_BYTES:
            yield Member(entry.name, None, _bomb(entry.size))
        else:
            stream = archive.extractfile(entry)
            if stream is not None:
                yield Member(entry.name, StreamSource(cast(BinaryIO, stream), entry.size))
    stopped = cast(BinaryIO, archive.fileobj).tell()
    if stopped <= archive.offset:  # no block of zeros was read
        raise RefusalError("truncated", "The archive has no end mark, so members may be missing. Copy it again.")


def _tar_problem(entry: tarfile.TarInfo) -> str:
    if entry.issym() or entry.islnk():
        return "it is a link"
    if entry.issparse():
        return "it is a sparse file, which can grow without limit"
    return "" if entry.isreg() else "it is a device or a pipe"


def _decompressor(packed: BinaryIO, kind: str) -> BinaryIO:
    match kind:
        case "gz":
            return cast(BinaryIO, igzip.IGzipFile(fileobj=packed, mode="rb"))
        case "bz2":
            return cast(BinaryIO, bz2.BZ2File(packed))
        case "xz":
            return cast(BinaryIO, lzma.LZMAFile(packed))
        case _:
            reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False)
            return cast(BinaryIO, reader)


def _read_fully(stream: _Meter, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := stream.read(size - len(data))):
        data += part
    return data


def _whole(stream: _Joined) -> bytes:
    parts: list[bytes] = []
    total = 0
    while part := stream.read(1024 * 1024):
        parts.append(part)
        total += len(part)
        if total > MAX_MEMBER_BYTES:
            raise _bomb(total)
    return b"".join(parts)


# --- what is refused


def unsafe_name(name: str) -> str:
    """Why a member of this name is refused, "" where it is harmless."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "its name is an absolute path"
    if ".." in parts:
        return "its name leads out of the archive (..)"
    if not name or "\0" in name:
        return "it has no usable name"
    return ""


def _refused(name: str, problem: str) -> Member:
    sentence = f"The member was left alone: {problem}."
    return Member(name, None, RefusalError("refused-archive-member", sentence))


def _bomb(n_bytes: int) -> RefusalError:
    sentence = f"It grows to {n_bytes} bytes or more when unpacked, beyond reason, and was left alone."
    return RefusalError("bomb", f"{sentence} If it is sound, unpack it by hand.")


def _is_tar(head: bytes) -> bool:
    """Whether a tar begins here, the oldest kind too: its header has a checksum."""
    if len(head) < HEAD_BYTES:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:HEAD_BYTES], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_office(head: bytes) -> bool:
    """Whether a zip is an office document, by the name of its first entry."""
    return head[:4] == _ZIP_MAGIC[0] and head[30:].startswith((b"[Content_Types].xml", b"mimetype"))


def _inflated_head(head: bytes, kind: str) -> bytes:
    """The first bytes of what a compressed member holds, b"" where they cannot be told from its head."""
    try:
        with damage_named("The head is damaged"):
            return _decompressor(BytesIO(head), kind).read(HEAD_BYTES)
    except RefusalError:
        return b""
