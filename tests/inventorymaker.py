"""Small real DICOM files, made with pydicom, for the tests of the inventory."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.reading import read_object_rows
from trialbids.exporter.inventory.rows import Origin
from trialbids.exporter.inventory.source import MemorySource

UID = "1.2.826.0.1.3680043.10.999"


def image(number: int = 1, **keywords: Any) -> Dataset:
    """An MR image of 4 x 6 pixels; keywords set or, where None, remove elements."""
    data = Dataset()
    data.SOPClassUID = MRImageStorage
    data.SOPInstanceUID = f"{UID}.3.{number}"
    data.StudyInstanceUID = f"{UID}.1"
    data.SeriesInstanceUID = f"{UID}.2"
    data.PatientID = "P1"
    data.Modality = "MR"
    data.InstanceNumber = number
    data.Rows, data.Columns, data.SamplesPerPixel = 4, 6, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = bytes(range(48))
    for keyword, value in keywords.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return data


def ct(number: int = 1, **keywords: Any) -> Dataset:
    """The same as a CT image."""
    return image(number, SOPClassUID=CTImageStorage, Modality="CT", **keywords)


def enhanced(shared: Dataset, frames: list[Dataset], **keywords: Any) -> Dataset:
    """An enhanced MR image with these functional groups."""
    data = image(SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=len(frames), **keywords)
    data.PixelData = bytes(48 * len(frames))
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return data


def item(**keywords: Any) -> Dataset:
    """A data set of these elements."""
    data = Dataset()
    for keyword, value in keywords.items():
        setattr(data, keyword, value)
    return data


def groups(**sequences: Dataset) -> Dataset:
    """Functional groups: each keyword is a sequence of one item."""
    return item(**{keyword: Sequence([content]) for keyword, content in sequences.items()})


def encoded(data: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as the bytes of a DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.get("SOPClassUID", MRImageStorage)
    meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID", f"{UID}.9")
    meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    content = FileDataset(stream, data, file_meta=meta, preamble=b"\0" * 128)
    explicit, little = syntax != ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dcmwrite(stream, content, implicit_vr=not explicit, little_endian=little, force_encoding=True)
    return stream.getvalue()


def bare(data: Dataset, *, implicit: bool = True, little: bool = True) -> bytes:
    """The data set alone, without preamble and file meta."""
    stream = BytesIO()
    data.save_as(stream, implicit_vr=implicit, little_endian=little)
    return stream.getvalue()


def write(path: Path, data: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    """A DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(data, syntax))
    return path


def rows(content: bytes) -> list[Instance]:
    """What the reader makes of the bytes of one object."""
    return read_object_rows(MemorySource(content), Origin("/x", "", len(content), 0))


def row(data: Dataset, syntax: str = ExplicitVRLittleEndian) -> Instance:
    """What the reader makes of a data set that gives one row."""
    (only,) = rows(encoded(data, syntax))
    return only
