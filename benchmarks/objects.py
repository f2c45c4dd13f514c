"""How many classic objects a second are de-identified on one core, from reading the file to having written it.

``python benchmarks/objects.py [COUNT]`` makes COUNT MR objects (256 x 256, some 200 elements, private ones among them)
in a temporary folder and prints the median of five runs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from trialbids.exporter.deidentify.dates import Shift
from trialbids.exporter.deidentify.dicom import ObjectContext, write_objects
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.inventory.find import Found
from trialbids.exporter.inventory.reading import Readings, read_file

RUNS = 5
PRIVATE_ELEMENTS = 120
SIZE = 256


def make_objects(folder: Path, count: int) -> int:
    """Write the objects; gives the number of elements that each has."""
    ds = _template()
    pixels = np.random.default_rng(0).integers(0, 4095, (SIZE, SIZE), dtype=np.uint16)
    for n in range(count):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(n)])
        ds.InstanceNumber, ds.SliceLocation = n + 1, f"{n * 3.3:.4f}"
        ds.ImagePositionPatient = [-120.5, -110.25, f"{n * 3.3:.4f}"]
        ds.AcquisitionTime = f"1015{n % 60:02d}.{n:06d}"
        ds.PixelData = (pixels + n).astype(np.uint16).tobytes()
        ds.save_as(folder / f"{n:05d}.dcm", enforce_file_format=True)
    return len(ds)


def _template() -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = MRImageStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20190314"
    ds.StudyTime, ds.SeriesTime, ds.ContentTime = "101000", "101400", "101600"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Doe^Jane", "4711", "19700101", "F"
    ds.InstitutionName, ds.ReferringPhysicianName, ds.OperatorsName = "Clinic", "Roe^Richard", "Poe"
    ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName = "MR Prostate", "t2_tse_tra", "t2_tse_tra"
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "SIEMENS", "Skyra", "syngo MR E11"
    ds.Modality, ds.PatientPosition, ds.BodyPartExamined = "MR", "HFS", "PROSTATE"
    ds.ImageType, ds.ScanningSequence = ["ORIGINAL", "PRIMARY", "M", "ND"], "SE"
    ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = ["SK", "SP"], "SAT1", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle, ds.EchoTrainLength = 4500, 101, 160, 25
    ds.SliceThickness, ds.SpacingBetweenSlices, ds.PixelBandwidth, ds.NumberOfAverages = 3, 3.3, 200, 2
    ds.MagneticFieldStrength, ds.ImagingFrequency, ds.ImagedNucleus = 3, 123.25, "1H"
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.5, 0.5]
    ds.AcquisitionMatrix, ds.InPlanePhaseEncodingDirection = [0, SIZE, SIZE, 0], "ROW"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = SIZE, SIZE, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth, ds.SeriesNumber, ds.StudyID = 500, 1000, 4, "1"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MRImageStorage, generate_uid()
    ds.ReferencedImageSequence = [item, item, item]
    for n in range(PRIVATE_ELEMENTS):
        ds.private_block(0x0019 + n // 60 * 0x10, "SIEMENS MR HEADER", create=True).add_new(n % 60, "LO", f"value {n}")
    return ds


def measure(folder: Path, target: Path) -> float:
    """Objects a second of processor time."""
    readings = Readings()
    for path in sorted(folder.glob("*.dcm")):
        state = path.stat()
        read_file(Found(path=str(path), size=state.st_size, mtime_ns=state.st_mtime_ns, ctime_ns=0), readings)
    rows = readings.rows
    context = ObjectContext(
        "ABC", "01", Pseudonyms(bytes(32)), Shift(73_000), 17_969 * 86_400 + 36_900.0, bodypart="prostate"
    )
    begun = time.process_time()
    written = write_objects(rows, target, context)
    return len(written.paths) / (time.process_time() - begun)


def main() -> None:
    """Make, measure, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.mkdir()
        elements = make_objects(source, count)
        rates = [measure(source, Path(name) / f"run{n}") for n in range(RUNS)]
    print(f"{statistics.median(rates):.0f} objects/s ({count} of {SIZE} x {SIZE}, {elements} elements; {rates})")


if __name__ == "__main__":
    main()
