"""Radiographs that are published as PNG or JPEG, as the DICOM objects that everything else here reads."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".png", ".jpg", ".jpeg")
JPEG_START, FRAME, SCAN = b"\xff\xd8", 0xC0, 0xDA
"""Markers of ITU-T T.81: start of image, baseline frame, start of scan."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """An image as DICOM stores it: ``data`` is baseline JPEG as it was where ``is_jpeg``, else the bare pixels."""

    rows: int
    columns: int
    bits: int
    data: bytes
    is_jpeg: bool


def pictures_in(source: Path) -> list[Path]:
    """The PNG and JPEG files below a folder, by name."""
    return sorted(p for p in source.rglob("*") if p.suffix.casefold() in SUFFIXES and not p.name.startswith("."))


def wrap_pictures(source: Path, files: Sequence[Path], folder: Path) -> None:
    """Write every picture below ``source`` as a DICOM object at the same place below ``folder``.

    A folder ``patient…`` on its way is its PatientID, else its own name is; a folder ``study…`` tells studies apart. A
    grey baseline JPEG is taken over bit by bit, anything else as bare pixels. Raises ``UsageError`` naming a file that
    is no grey image.
    """
    from pydicom.filewriter import dcmwrite  # takes long to load

    for file in files:
        relative = file.relative_to(source)
        target = (folder / relative).with_suffix(".dcm")
        target.parent.mkdir(parents=True, exist_ok=True)
        dcmwrite(target, _object(relative, read_pixels(file)), enforce_file_format=True)


def read_pixels(file: Path) -> Pixels:
    """The grey image in a PNG or JPEG. Raises ``UsageError`` where it is none."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    size = _grey_baseline(data)
    if size is not None:
        return Pixels(*size, bits=8, data=data, is_jpeg=True)
    import cv2  # takes long to load
    import numpy as np

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        raise UsageError(f"{file}: is no image that can be read")
    if image.ndim == 3:
        colours = image[..., :3]
        if (colours != colours[..., :1]).any():
            raise UsageError(f"{file}: is a colour image, which no radiograph is; take it out of the source")
        image = colours[..., 0]
    if image.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"{file}: has pixels of type {image.dtype}; 8 or 16 bits are expected")
    return Pixels(*image.shape, bits=8 * image.itemsize, data=np.ascontiguousarray(image).tobytes(), is_jpeg=False)


def _grey_baseline(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a baseline JPEG of one component with 8 bits; None for anything else."""
    if not data.startswith(JPEG_START):
        return None
    for marker, body in _segments(data):
        if marker == FRAME and len(body) >= 6:
            bits, rows, columns, components = struct.unpack(">BHHB", body[:6])
            return (rows, columns) if (bits, components) == (8, 1) and rows and columns else None
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of a JPEG up to its first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != SCAN:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _object(relative: Path, pixels: Pixels) -> Dataset:
    """A secondary capture of modality CR, as the challenges themselves store radiographs in DICOM."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, SecondaryCaptureImageStorage

    patient = next((p for p in relative.parts if re.fullmatch(r"patient\d+", p)), relative.stem)
    study = next((p for p in relative.parts if re.fullmatch(r"study\d+", p)), "")
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if pixels.is_jpeg else ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(_uid("image", relative.as_posix()))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid("study", patient, study), _uid("series", relative.as_posix())
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = patient, "", "", ""
    ds.StudyID, ds.StudyDate, ds.StudyTime, ds.AccessionNumber = study, "", "", ""
    ds.ReferringPhysicianName, ds.SeriesNumber, ds.InstanceNumber = "", None, 1
    ds.Modality, ds.ConversionType, ds.BodyPartExamined = "CR", "WSD", "CHEST"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = (
        pixels.rows,
        pixels.columns,
        1,
        "MONOCHROME2",
    )
    ds.BitsAllocated = ds.BitsStored = pixels.bits
    ds.HighBit, ds.PixelRepresentation = pixels.bits - 1, 0
    if pixels.is_jpeg:
        ds.LossyImageCompression = "01"
        ds.PixelData = encapsulate([pixels.data])
    else:
        ds.PixelData = pixels.data + b"\0" * (len(pixels.data) % 2)
    return ds


def _uid(*words: str) -> str:
    """A UID under 2.25 (ITU-T X.667) made from words: the same words, the same UID."""
    return f"2.25.{int.from_bytes(hashlib.sha256('/'.join(words).encode()).digest()[:15], 'big')}"
