"""Headers that do not follow the encoding they should have, read by pydicom into the same form as the fast reader's."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from .elements import EXPLICIT_BIG, EXPLICIT_LITTLE, Level, Pixels, locate_pixels
from .source import Source
from .tags import PIXEL_TAGS, PRIVATE_GROUPS, WANTED_TAGS
from .unreadable import RefusalError

WHAT_PYDICOM_RAISES = (
    BytesLengthException,
    InvalidDicomError,
    AttributeError,
    EOFError,
    KeyError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""On damaged bytes pydicom raises whatever its innermost call did. The stream is in memory: an OSError is its own."""

_META = ("TransferSyntaxUID", "MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")


def read(source: Source) -> tuple[Level, str, tuple[str, str], Pixels | None]:
    """Chosen elements, transfer syntax, SOP class and instance of the file meta, and place of the pixel data.

    Raises ``RefusalError`` (corrupt, truncated).
    """
    stream = BytesIO(source.read(0, source.size))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = pydicom.dcmread(stream, force=True, stop_before_pixels=True)
            level = _level(data_set)
    except WHAT_PYDICOM_RAISES as error:
        sentence = f"The header cannot be decoded ({type(error).__name__}). Ask for the file again."
        raise RefusalError("corrupt", sentence) from None
    meta = data_set.file_meta if hasattr(data_set, "file_meta") else Dataset()
    syntax, *media = (str(meta.get(name, "")) for name in _META)
    return level, syntax, (media[0], media[1]), _pixels(source, stream.tell(), data_set)


def _pixels(source: Source, position: int, data_set: Dataset) -> Pixels | None:
    """pydicom stops at the pixel data element and leaves the stream there."""
    implicit, little = data_set.original_encoding
    head = source.read(position, 4)
    order = "<HH" if little else ">HH"
    if len(head) < 4:
        return None
    group, element = struct.unpack(order, head)
    if group << 16 | element not in PIXEL_TAGS:
        return None
    if not implicit:
        return locate_pixels(source, position, EXPLICIT_LITTLE if little else EXPLICIT_BIG)
    length = struct.unpack("<L", source.read(position + 4, 4).ljust(4, b"\0"))[0]
    return Pixels(position + 8, -1 if length == 0xFFFFFFFF else length)


def _level(data_set: Dataset) -> Level:
    """A pydicom data set as our form: raw bytes where pydicom kept them, else its values written as text."""
    _, little = data_set.original_encoding
    level = Level(EXPLICIT_LITTLE if little is not False else EXPLICIT_BIG)
    level.keys += [level.encoding.key_of(int(tag)) for tag in data_set.keys()]  # noqa: SIM118 - elements are read late
    for tag in list(data_set.keys()):
        element = data_set.get_item(tag)
        if tag not in WANTED_TAGS:
            _unlisted(data_set, tag, element, level)
            continue
        if isinstance(element, RawDataElement) and element.VR != "SQ" and not _is_sequence(tag, element):
            raw = element.value if isinstance(element.value, bytes) else b""
            level.values[int(tag)] = ((element.VR or "").encode(), raw)
        elif tag >> 16 not in PRIVATE_GROUPS:
            element = data_set[tag]
            if isinstance(element.value, Sequence):
                level.sequences[int(tag)] = [_level(item) for item in element.value]
            else:
                level.values[int(tag)] = _as_text(element)
    return level


def _unlisted(data_set: Dataset, tag: BaseTag, element: DataElement | RawDataElement, level: Level) -> None:
    """A sequence or a person's name of no known tag: identifiers may stand there."""
    if element.VR == "SQ":
        found = data_set[tag].value
        level.sequences[int(tag)] = [_level(item) for item in found] if isinstance(found, Sequence) else []
    elif element.VR == "PN":
        raw = element.value if isinstance(element, RawDataElement) else _as_text(element)[1]
        level.unlisted.append((b"PN", raw if isinstance(raw, bytes) else b""))


def _is_sequence(tag: int, element: RawDataElement) -> bool:
    """Whether an element that came without VR is a sequence by the dictionary."""
    return element.VR in (None, "UN") and dictionary_has_tag(tag) and (dictionary_VR(tag) == "SQ")


def _as_text(element: DataElement) -> tuple[bytes, bytes]:
    values = element.value if isinstance(element.value, list | tuple | MultiValue) else [element.value]
    written = "\\".join("" if value is None else str(value) for value in values)
    return b"UC", written.encode("latin-1", errors="replace")
