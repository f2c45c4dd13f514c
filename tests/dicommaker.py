"""Small DICOM objects that tests de-identify."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from trialbids.exporter.deidentify.dates import Shift
from trialbids.exporter.deidentify.dicom import Diffusion, ObjectContext, deidentify_object
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms

SHIFT = Shift(73_414)
DAY_20190314 = 17_969 * 86_400.0
START = DAY_20190314 + 10 * 3600
PIXELS = bytes(range(32))


def context(**changes: Any) -> ObjectContext:
    """The session of a subject whose first image was made on 14 March 2019 at ten."""
    known: dict[str, Any] = {"subject": "SUB7", "session": "01", "pseudonyms": Pseudonyms(bytes(32)), "shift": SHIFT}
    return ObjectContext(**{**known, "start": START, "site": "S1", "bodypart": "prostate", **changes})


def mr_object(**elements: Any) -> Dataset:
    """A valid classic MR image of 4 x 4 pixels."""
    ds = _image(MRImageStorage, "MR")
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "SE", "SK", "FS", "2D"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = 4000, 100, 20
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def ct_object() -> Dataset:
    """A valid classic CT image."""
    ds = _image(CTImageStorage, "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType, ds.KVP, ds.AcquisitionNumber = -1024, 1, "HU", 120, 1
    ds.PixelRepresentation = 1
    return ds


def pet_object() -> Dataset:
    """A valid classic PET image with an injection an hour before."""
    ds = _image(PositronEmissionTomographyImageStorage, "PT")
    ds.ImageType, ds.Units, ds.CountsSource, ds.SeriesType = (
        ["ORIGINAL", "PRIMARY"],
        "BQML",
        "EMISSION",
        ["STATIC", "IMAGE"],
    )
    ds.NumberOfSlices, ds.DecayCorrection, ds.FrameReferenceTime, ds.ImageIndex = 1, "START", 0, 1
    ds.CorrectedImage, ds.CollimatorType, ds.ActualFrameDuration = ["DECY", "ATTN"], "NONE", 120000
    ds.RescaleIntercept, ds.RescaleSlope, ds.DecayFactor = 0, 1, 1
    del ds.PatientPosition  # the codes take its place
    ds.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [_code("40199007", "SCT", "supine")]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    item = Dataset()
    item.RadiopharmaceuticalStartTime, item.RadionuclideTotalDose = "090000", 370000000
    item.RadiopharmaceuticalStartDateTime, item.RadionuclideHalfLife = "20190314090000", 6586.2
    item.RadionuclideCodeSequence = [_code("77004003", "SCT", "what the site calls it")]
    ds.RadiopharmaceuticalInformationSequence = [item]
    return ds


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _image(sop_class: UID, modality: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.826.0.1.1")
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = (
        "1.2.826.0.1.2",
        "1.2.826.0.1.3",
        "1.2.826.0.1.4",
    )
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20190314"
    ds.StudyTime, ds.SeriesTime, ds.AcquisitionTime, ds.ContentTime = "095500", "100000", "100130.5", "101000"
    ds.Modality, ds.Manufacturer, ds.PatientPosition = modality, "SIEMENS", "HFS"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Roe^Jane", "4711", "19700101", "F"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyID, ds.SeriesNumber = "A4711", "Poe^Edgar", "12", 3
    ds.InstanceNumber, ds.PositionReferenceIndicator, ds.BodyPartExamined = 1, "", "PROSTATE"
    ds.SliceThickness, ds.PixelSpacing = 3, [1, 1]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 4, 4
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = PIXELS
    return ds


def file_bytes(ds: Dataset) -> bytes:
    """The object as a DICOM file."""
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def released(ds: Dataset, diffusion: Diffusion | None = None, **changes: Any) -> Dataset:
    """The object de-identified and read again."""
    return dcmread(BytesIO(deidentify_object(file_bytes(ds), context(**changes), diffusion)))
