"""The benchmark's own input: one patient, thirteen series, some 7,000 small MR files as a GE scanner stores them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

ROWS = COLUMNS = 96
PIXEL_MM = 2.5
_ROOT = "2.25.7003"  # made-up UIDs, the same in every run


@dataclass(frozen=True)
class Series:
    """One series: ``volumes`` times ``slices`` files. ``sequence`` is the pair ScanningSequence, SequenceVariant."""

    description: str
    slices: int
    volumes: int
    sequence: tuple[str, str]
    repetition_ms: float
    echo_ms: float
    flip: float
    spacing_mm: float
    plane: str = "ax"


GE_SESSION = (
    Series("3-Plane Loc", 9, 1, ("GR", "SS"), 5.0, 1.6, 30, 10),
    Series("Ax T2 FRFSE", 36, 1, ("SE", "SK"), 4200, 102, 111, 4),
    Series("Sag T2 FRFSE", 32, 1, ("SE", "SK"), 4100, 102, 111, 4, "sag"),
    Series("Cor T2 FRFSE", 34, 1, ("SE", "SK"), 4300, 102, 111, 4, "cor"),
    Series("Ax T1 FSE", 36, 1, ("SE", "SK"), 620, 8.5, 111, 4),
    Series("Ax T2 wide FOV", 60, 1, ("SE", "SK"), 5200, 98, 111, 5),
    Series("Ax LAVA pre", 96, 1, ("GR", "SK"), 4.1, 1.9, 12, 2),
    Series("Ax LAVA post", 96, 1, ("GR", "SK"), 4.1, 1.9, 12, 2),
    Series("Sag LAVA post", 80, 1, ("GR", "SK"), 4.2, 1.9, 12, 2, "sag"),
    Series("Ax BOLD run A", 40, 50, ("EP\\GR", "SS"), 2000, 30, 77, 4),
    Series("Ax BOLD run B", 40, 50, ("EP\\GR", "SS"), 2000, 30, 77, 4),
    Series("Ax BOLD run C", 40, 50, ("EP\\GR", "SS"), 2000, 30, 77, 4),
    Series("Ax BOLD rest", 40, 13, ("EP\\GR", "SS"), 2000, 30, 77, 4),
)

_COSINES = {
    "ax": ([1, 0, 0, 0, 1, 0], (0, 0, 1)),
    "sag": ([0, 1, 0, 0, 0, -1], (1, 0, 0)),
    "cor": ([1, 0, 0, 0, 0, -1], (0, 1, 0)),
}


def write_session(folder: Path, series: tuple[Series, ...] = GE_SESSION, patient: str = "BENCH01") -> int:
    """Write the session below ``folder``, one sub-folder a series, and return the number of files."""
    rng = np.random.default_rng(0)
    count = 0
    for number, one in enumerate(series, start=1):
        target = folder / f"s{number:04d}"
        target.mkdir(parents=True, exist_ok=True)
        base = _header(one, number, patient)
        body = _body(rng, one.slices)
        for index in range(one.slices * one.volumes):
            _place(base, one, index)
            noise = rng.integers(0, 30, (ROWS, COLUMNS), dtype=np.int16)
            base.PixelData = (body[index % one.slices] + noise).tobytes()
            base.save_as(target / f"i{count:06d}.MRDC.{index + 1}", enforce_file_format=True)
            count += 1
    return count


def _body(rng: np.random.Generator, slices: int) -> np.ndarray:
    """A bright ellipsoid with soft texture and a scanner's noise, int16 of shape (slices, rows, columns)."""
    z, y, x = np.meshgrid(
        np.linspace(-1, 1, slices), np.linspace(-1, 1, ROWS), np.linspace(-1, 1, COLUMNS), indexing="ij"
    )
    inside = x**2 / 0.7 + y**2 / 0.4 + z**2 / 1.5 < 1
    signal = inside * (600 + 200 * np.sin(7 * x + rng.uniform(0, 3)) * np.cos(5 * y))
    return np.abs(signal + rng.normal(0, 15, signal.shape)).astype(np.int16)


def _header(one: Series, number: int, patient: str) -> FileDataset:
    root = f"{_ROOT}{int(patient[-2:]):02d}"  # patients share no UID
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = MRImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20240102"
    ds.StudyTime = "090000"
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = f"09{number * 3:02d}00"
    ds.AccessionNumber, ds.StudyID = "A1", "1"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "MR", "GE MEDICAL SYSTEMS", "DISCOVERY MR750w"
    ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName = "Bench", one.description, "Bench"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Bench^One", patient, "19700101", "F"
    ds.BodyPartExamined, ds.PatientPosition = "PELVIS", "HFS"
    ds.ScanningSequence, ds.SequenceVariant = one.sequence[0].split("\\"), one.sequence[1]
    ds.ScanOptions, ds.MRAcquisitionType = "FAST_GEMS", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = one.repetition_ms, one.echo_ms, one.flip
    ds.MagneticFieldStrength, ds.EchoTrainLength, ds.EchoNumbers = 3, 1, 1
    ds.SliceThickness = ds.SpacingBetweenSlices = one.spacing_mm
    ds.SoftwareVersions, ds.DeviceSerialNumber, ds.InstitutionName = "27", "0001", "Bench"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = f"{root}1", f"{root}2"
    ds.SeriesInstanceUID = f"{root}3{number:03d}"
    ds.SeriesNumber, ds.AcquisitionNumber = number, 1
    ds.ImageOrientationPatient = _COSINES[one.plane][0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelSpacing = ROWS, COLUMNS, [PIXEL_MM, PIXEL_MM]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    if one.volumes > 1:
        ds.NumberOfTemporalPositions = one.volumes
    return ds


def _place(ds: FileDataset, one: Series, index: int) -> None:
    """Give ``ds`` the identity, place and time of file ``index`` of its series."""
    volume, place = divmod(index, one.slices)
    ds.SOPInstanceUID = f"{ds.SeriesInstanceUID}{index:05d}"
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    ds.InstanceNumber = index + 1
    offset = (place - one.slices / 2) * one.spacing_mm
    corner = np.array(_COSINES[one.plane][0][:3]) + np.array(_COSINES[one.plane][0][3:])
    position = np.array(_COSINES[one.plane][1]) * offset - corner * ROWS * PIXEL_MM / 2
    ds.ImagePositionPatient = [round(float(v), 4) for v in position]
    ds.SliceLocation = round(offset, 4)
    if one.volumes > 1:
        ds.TemporalPositionIdentifier = volume + 1
        ds.TriggerTime = volume * one.repetition_ms
