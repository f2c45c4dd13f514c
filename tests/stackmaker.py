"""Stacks for tests of the converter and the checks: small series written to disk, and stacks of any folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from trialbids.exporter.engine import Serial
from trialbids.exporter.inventory.objects import pixel_digest
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent
from trialbids.exporter.stacks.build import stack_instances
from trialbids.exporter.stacks.stack import Stack

ROWS, COLUMNS = 12, 16


def stacks_below(*folders: Path) -> list[Stack]:
    """Every image stack of the DICOM below the folders."""
    with tempfile.TemporaryDirectory() as store:
        inventory = scan(folders, Path(store), engine=Serial(), progress=Silent())
    return [stack for stack in stack_instances(inventory.instances, pixel_digest).stacks if stack.is_image]


@cache
def unchanging_stacks_below(folder: Path) -> list[Stack]:
    """The same for the real data, read once for all tests."""
    return stacks_below(folder)


def only_stack(folder: Path) -> Stack:
    """The one image stack of a folder."""
    (stack,) = stacks_below(folder)
    return stack


def axial(n: int, step: float = 4.0) -> list[tuple[float, float, float]]:
    """Positions of ``n`` axial slices, from the feet up."""
    return [(-10.0, -9.0, step * k) for k in range(n)]


def write_series(folder: Path, positions: Sequence[Sequence[float]], **changes: object) -> list[Path]:
    """A small axial MR series, one file a position (LPS mm), with other pixels in every slice.

    ``changes`` are DICOM keywords; a list as long as the positions gives each file its own value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uids = {k: generate_uid() for k in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")}
    paths = []
    for n, position in enumerate(positions):
        dataset = header(n + 1, position)
        for keyword, value in (uids | changes).items():
            own = isinstance(value, list) and len(value) == len(positions)
            setattr(dataset, keyword, value[n] if own else value)
        if "PixelData" not in dataset:
            pixels = np.random.default_rng(n).integers(0, 4000, (dataset.Rows, dataset.Columns), dtype=np.uint16)
            dataset.PixelData = pixels.tobytes()
        path = folder / f"{n:03d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def header(number: int, position: Sequence[float]) -> FileDataset:
    """The header of one spin-echo slice."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.PatientName, dataset.PatientPosition = "P1", "Doe^Jane", "HFS"
    dataset.StudyDate, dataset.StudyDescription = "20200101", "PELVIS"
    dataset.Modality, dataset.Manufacturer, dataset.ImageType = "MR", "SIEMENS", ["ORIGINAL", "PRIMARY", "M"]
    dataset.SeriesNumber, dataset.AcquisitionNumber, dataset.InstanceNumber = 3, 1, number
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.MRAcquisitionType = "SE", "SK", "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.SliceThickness = 3000, 90, 4
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = list(position), [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.Rows, dataset.Columns = [1.5, 1.25], ROWS, COLUMNS
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset
