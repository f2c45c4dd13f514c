"""One DICOM object's header: recognised by content, read once, without the pixel data.

Files are recognised by the magic word, or, where there is none, by a data set that makes sense from its first byte.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from pydicom.uid import UID_dictionary  # pyright: ignore[reportPrivateImportUsage]

from . import fallback
from .elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    Encoding,
    Level,
    OddEncodingError,
    Pixels,
    fragments_end,
    read_data_set,
)
from .source import MemorySource, Source
from .syntax import read_value
from .tags import CHARACTER_SET, FIELDS
from .unreadable import RefusalError

IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_UID = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_UID = "1.2.840.10008.1.2.2"
DEFLATED_UIDS = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95")
DICOMDIR_UID = "1.2.840.10008.1.3.10"

MAX_INFLATED_BYTES = 4 * 1024**3
MAX_INFLATED_RATIO = 1000
"""Deflate cannot do better than 1032 : 1; only a bomb comes near it over a whole object."""
INFLATED_FLOOR = 64 * 1024**2
"""Below this many bytes no ratio makes a bomb."""

IMAGE_CLASSES = frozenset(uid for uid, entry in UID_dictionary.items() if "Image Storage" in entry[0])
"""The storage classes whose objects have pixel data by definition; a file cut behind a whole element has none."""

MAGIC = b"DICM"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
_ABSENT = (b"", b"")
_META_WANTED = frozenset((0x0002, 0x0003, 0x0010))


@dataclass(frozen=True, slots=True)
class Header:
    """The chosen elements of one object, and where its pixel data lie.

    ``source`` holds the data set: the object itself, or the inflated copy of a deflated one.
    ``media`` are SOP class and instance as the file meta information names them, "" where it does not.
    """

    level: Level
    transfer_syntax: str
    pixels: Pixels | None
    source: Source
    media: tuple[str, str] = ("", "")

    def text(self, tag: int) -> str:
        """A text element of the top level, "" where it is absent."""
        value = self.value(tag)
        return value if isinstance(value, str) else ""

    def integer(self, tag: int) -> int | None:
        """An integer element of the top level."""
        value = self.value(tag)
        return value if isinstance(value, int) else None

    def value(self, tag: int) -> object:
        vr, raw = self.level.values.get(tag, _ABSENT)
        character_set = self.level.values.get(CHARACTER_SET, _ABSENT)[1]  # as for the rows: it is remembered with it
        return read_value(FIELDS[tag], vr, raw, character_set, self.level.encoding.little)[0]


SOP_CLASS, SOP_INSTANCE, SERIES, STUDY = 0x00080016, 0x00080018, 0x0020000E, 0x0020000D
ROWS, COLUMNS, FRAMES, BITS, SAMPLES = 0x00280010, 0x00280011, 0x00280008, 0x00280100, 0x00280002


def read_header(source: Source) -> Header:
    """The header of the object in ``source``.

    Raises ``RefusalError`` with the reason why there is none: not-dicom, wrong-magic, empty, truncated, corrupt,
    dicomdir, no-image-uids, bomb.
    """
    head = source.read(0, 140)
    if not head:
        raise RefusalError("empty", "The file has no content (zero bytes). Copy it again.")
    if head[128:132] == MAGIC:
        return _read_part10(source, 132)
    if head[:4] == MAGIC:
        return _read_part10(source, 4)
    if head[:2] in _FIRST_GROUPS and (header := _read_bare(source)):
        return header
    if _meta_begins(head[132:]):
        raise RefusalError("wrong-magic", "The magic word DICM at byte 128 is damaged. Ask for the file again.")
    raise RefusalError("not-dicom", "The content is not DICOM.")


def read_any(source: Source) -> Header:
    """As :func:`read_header`, by pydicom alone: for encodings that the fast reader misreads."""
    level, syntax, media, pixels = fallback.read(source)
    return _checked(Header(level, syntax, pixels, source, media))


def _read_part10(source: Source, start: int) -> Header:
    syntax, media, position = _read_meta(source, start)
    if media[0] == DICOMDIR_UID:
        raise RefusalError("dicomdir", "A DICOMDIR, an index of other files; the files are found without it.")
    if syntax in DEFLATED_UIDS:
        source, position = _inflate(source, position), 0
    encoding = _encoding(source.read(position, 6), syntax)
    try:
        level, pixels = read_data_set(source, position, encoding)
        return _checked(Header(level, syntax or _syntax(encoding), pixels, source, media))
    except OddEncodingError:
        if syntax in DEFLATED_UIDS:
            raise RefusalError("corrupt", "The inflated data set cannot be decoded. Ask for the file again.") from None
        return read_any(source)


def _read_bare(source: Source) -> Header | None:
    """A data set without preamble, with or without file meta; None where it turns out to be something else."""
    head = source.read(0, 6)
    try:
        if head[:2] == b"\x02\x00":
            return _read_part10(source, 0)
        encoding = _encoding(head, EXPLICIT_BIG_UID if head[:2] == b"\x00\x08" else "")
        level, pixels = read_data_set(source, 0, encoding)
        header = Header(level, _syntax(encoding), pixels, source)
        return _checked(header) if header.text(SOP_INSTANCE) and header.text(SOP_CLASS) else None
    except (OddEncodingError, UnicodeDecodeError):
        return None
    except RefusalError as refusal:
        if refusal.reason == "truncated" and not _mentions_sop(source):
            return None
        raise


def _mentions_sop(source: Source) -> bool:
    """Whether the head has a SOPClassUID under DICOM's root: what tells a cut object from any other bytes."""
    return b"1.2.840.10008.5.1.4.1" in source.read(0, 1024)


def _read_meta(source: Source, start: int) -> tuple[str, tuple[str, str], int]:
    """Transfer syntax, media storage SOP class and instance, and the first byte after the file meta (PS3.10 7.1)."""
    found: dict[int, str] = {}
    position = start
    while len(head := source.read(position, 12)) >= 8 and head[:2] == b"\x02\x00":
        key, vr, length = EXPLICIT_LITTLE.unpack(head, 0)
        element = key >> 16
        if vr in LONG_VRS and len(head) == 12:
            length, position = EXPLICIT_LITTLE.unpack_length(head, 8)[0], position + 12
        elif vr in SHORT_VRS:
            position += 8
        else:
            length, position = EXPLICIT_LITTLE.unpack_length(head, 4)[0], position + 8
        if element in _META_WANTED:
            found[element] = source.read(position, min(length, 128)).decode("latin-1").strip("\0 ")
        position += length
    if position > source.size:
        raise RefusalError("truncated", "The file ends within its file meta information. Copy the file again.")
    return found.get(0x0010, ""), (found.get(0x0002, ""), found.get(0x0003, "")), position


def _encoding(head: bytes, syntax: str) -> Encoding:
    """How the data set that begins with ``head`` is written: the first VR decides, since transfer syntaxes lie."""
    if syntax == EXPLICIT_BIG_UID and head[:1] == b"\0":
        return EXPLICIT_BIG
    vr = head[4:6]
    return EXPLICIT_LITTLE if vr in SHORT_VRS or vr in LONG_VRS else IMPLICIT_LITTLE


def _syntax(encoding: Encoding) -> str:
    if not encoding.little:
        return EXPLICIT_BIG_UID
    return EXPLICIT_LITTLE_UID if encoding.explicit else IMPLICIT_LITTLE_UID


def _inflate(source: Source, position: int) -> MemorySource:
    """The data set of a deflated object (PS3.5 A.5), with a limit on what comes out."""
    packed = source.read(position, source.size - position)
    limit = min(MAX_INFLATED_BYTES, max(INFLATED_FLOOR, MAX_INFLATED_RATIO * len(packed)))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, limit)
    except zlib.error as error:
        raise RefusalError("corrupt", f"The deflated data set cannot be inflated ({error}). Copy it again.") from None
    if inflater.unconsumed_tail:
        raise RefusalError("bomb", f"The deflated data set grows beyond {limit} bytes and was left alone.")
    if not inflater.eof:
        raise RefusalError("truncated", "The deflated data set ends too early. Copy the file again.")
    return MemorySource(data)


def _meta_begins(head: bytes) -> bool:
    """Whether file meta information, group 0002 in explicit VR, could begin here."""
    return head[:2] == b"\x02\x00" and (head[4:6] in SHORT_VRS or head[4:6] in LONG_VRS)


def _checked(header: Header) -> Header:
    """The header, if it names an instance and its pixel data are all there."""
    if header.text(SOP_CLASS) == DICOMDIR_UID:
        raise RefusalError("dicomdir", "A DICOMDIR, an index of other files; the files are found without it.")
    names = {"SOPInstanceUID": SOP_INSTANCE, "SeriesInstanceUID": SERIES, "StudyInstanceUID": STUDY}
    missing = [name for name, tag in names.items() if not header.text(tag)]
    if missing:
        raise RefusalError("no-image-uids", f"The header has no {' and no '.join(missing)}.")
    try:
        _check_pixels(header)
    except RefusalError as refusal:
        refusal.series_uid = header.text(SERIES)
        raise
    return header


def _check_pixels(header: Header) -> None:
    """Raise ``RefusalError`` (truncated) where pixel data are cut, or are shorter than the header says."""
    pixels, source = header.pixels, header.source
    promised = _promised_bytes(header)
    if pixels is None:
        sop_class = header.text(SOP_CLASS)
        if sop_class in IMAGE_CLASSES or (promised and sop_class.startswith("1.2.840.10008.5.1.4.1.1.")):
            raise RefusalError("truncated", "The header describes an image, and no pixel data follow.")
        return
    if pixels.length < 0:
        try:
            fragments_end(source, pixels.start, header.level.encoding)
        except OddEncodingError as error:
            raise RefusalError("corrupt", f"The compressed pixel data cannot be followed: {error}.") from None
        return
    present = source.size - pixels.start
    if pixels.length > present:
        raise RefusalError(
            "truncated", f"The file ends after {max(present, 0)} of {pixels.length} bytes of pixel data."
        )
    if _is_native(header.transfer_syntax) and pixels.length < promised:
        raise RefusalError(
            "truncated", f"The pixel data have {pixels.length} of the {promised} bytes the header promises."
        )


def _is_native(syntax: str) -> bool:
    """Whether pixel data of this transfer syntax are stored uncompressed."""
    return syntax in (IMPLICIT_LITTLE_UID, EXPLICIT_LITTLE_UID, EXPLICIT_BIG_UID, DEFLATED_UIDS[0])


def _promised_bytes(header: Header) -> int:
    """Bytes of pixel data that the image's shape needs, 0 where the header describes none (PS3.5 section 8)."""
    rows, columns, bits = header.integer(ROWS), header.integer(COLUMNS), header.integer(BITS)
    if not rows or not columns or not bits:
        return 0
    samples = max(header.integer(SAMPLES) or 1, 1)
    frames = max(header.integer(FRAMES) or 1, 1)
    pixel_count = rows * columns * frames * samples
    if header.text(0x00280004) == "YBR_FULL_422":
        pixel_count = pixel_count * 2 // 3
    return pixel_count // 8 if bits == 1 else pixel_count * bits // 8
