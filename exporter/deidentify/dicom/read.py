"""One DICOM object opened for de-identification: its elements as pydicom keeps them, undecoded, and its pixel data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from struct import Struct
from struct import error as StructError
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from ...errors import ConversionError
from ...inventory.elements import ITEM, LONG_VRS, SEQUENCE_END, UNDEFINED, OddEncodingError
from ...inventory.fallback import WHAT_PYDICOM_RAISES
from ...inventory.header import DEFLATED_UIDS, EXPLICIT_BIG_UID, EXPLICIT_LITTLE_UID, read_header
from ...inventory.source import MemorySource
from ...inventory.unreadable import RefusalError
from .codestream import truncated

HEAD_BYTES = 1024
MOST_VALUE_BYTES = 64 * 1024**2
"""pydicom seeks over longer values, so that a private element of any size costs nothing."""
PIXEL_DATA = 0x7FE00010
FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)


@dataclass(frozen=True, slots=True)
class Opened:
    """An object whose header has been read. ``file`` stands at the value of its pixel data.

    ``length`` is that value's length in bytes, -1 where it is encapsulated; ``syntax`` is the transfer syntax in which
    the object is to be written.
    """

    data_set: Dataset
    file: BinaryIO
    little: bool
    length: int
    syntax: str

    def native_pixels(self, wanted: int) -> bytes:
        """``wanted`` bytes of uncompressed pixels; what stands behind them stays. Raises ``ConversionError``."""
        data = self.file.read(wanted) if wanted <= self.length else b""
        if len(data) < wanted:
            raise truncated()
        return data

    def items(self) -> Iterator[bytes]:
        """The offset table and the fragments of encapsulated pixel data (PS3.5 A.4), up to the delimiter.

        Raises ``ConversionError`` (truncated, corrupt).
        """
        header = Struct("<HHL")
        while len(head := self.file.read(header.size)) == header.size:
            group, number, length = header.unpack(head)
            if group << 16 | number == SEQUENCE_END:
                return
            if group << 16 | number != ITEM or length == UNDEFINED:
                raise ConversionError("corrupt", "The compressed pixel data cannot be followed.")
            body = self.file.read(length)
            if len(body) < length:
                break
            yield body
        if head:
            raise truncated()


def open_object(file: BinaryIO) -> Opened:
    """Read the header of the object in ``file``.

    Raises ``ConversionError``: corrupt, truncated, bomb, no-pixels, or no-dicom-output for what cannot be written.
    """
    with _named():
        head = file.read(HEAD_BYTES)
        file.seek(0)
        inflated = _inflated(file) if any(uid.encode() in head for uid in DEFLATED_UIDS) else None
        if inflated is not None:
            file = inflated
            data_set = read_dataset(file, False, True, stop_when=_at_pixels)
        else:
            data_set = pydicom.dcmread(file, force=True, stop_before_pixels=True, defer_size=MOST_VALUE_BYTES)
        implicit, little = data_set.original_encoding
        length = _pixel_length(file, bool(implicit), little is not False)
    return Opened(data_set, file, little is not False, length, _syntax(data_set, little is not False, length))


@contextmanager
def _named() -> Iterator[None]:
    """Whatever a reader raises on damaged bytes, as one sentence without a value of the file in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RefusalError as refusal:
        raise ConversionError(refusal.reason, refusal.message) from None
    except (*WHAT_PYDICOM_RAISES, OddEncodingError) as error:
        sentence = f"The header cannot be decoded ({type(error).__name__}). Ask for the file again."
        raise ConversionError("corrupt", sentence) from None


def _inflated(file: BinaryIO) -> BinaryIO | None:
    """The data set of a deflated object, inflated with the limits of the inventory; None where it is not deflated."""
    source = MemorySource(file.read())
    file.seek(0)
    inflated = read_header(source).source
    return None if inflated is source else BytesIO(inflated.read(0, inflated.size))


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    del vr, length
    return tag == PIXEL_DATA or tag in FLOAT_PIXELS


def _pixel_length(file: BinaryIO, implicit: bool, little: bool) -> int:
    """Read the header of the pixel data element at which pydicom stopped."""
    order = "<" if little else ">"
    head = file.read(8)
    try:
        group, number = Struct(order + "HH").unpack(head[:4])
        if group << 16 | number != PIXEL_DATA:
            raise ConversionError("no-pixels", "The object has no pixel data of whole numbers, so it is not written.")
        if implicit:
            length = Struct(order + "L").unpack(head[4:])[0]
        elif head[4:6] in LONG_VRS:
            length = Struct(order + "L").unpack(file.read(4))[0]
        else:
            length = Struct(order + "H").unpack(head[6:])[0]
    except StructError:
        raise ConversionError("no-pixels", "The object has no pixel data, so it is not written.") from None
    return -1 if length == UNDEFINED else length


def _syntax(data_set: Dataset, little: bool, length: int) -> str:
    """The transfer syntax to write: explicit VR in the byte order of the pixels, or the compression as it is."""
    if length >= 0:
        return EXPLICIT_LITTLE_UID if little else EXPLICIT_BIG_UID
    stated = UID(str(data_set.file_meta.get("TransferSyntaxUID", "")) if hasattr(data_set, "file_meta") else "")
    if not stated.is_transfer_syntax or stated.is_private or not stated.is_encapsulated:
        raise ConversionError("no-dicom-output", "The pixel data are compressed, and the header does not say how.")
    return str(stated)
