"""What comes along with the images: a screenshot, a report, a presentation state and the index of a CD."""

from __future__ import annotations

import cv2
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MediaStorageDirectoryStorage,
    SecondaryCaptureImageStorage,
)

from .objects import Study, common, date_text, time_text, to_bytes


def screenshot(study: Study, uid: str, series_number: int) -> bytes:
    """A screen save as secondary capture, RGB, with the patient's name burned into the pixels."""
    ds = _series(study, SecondaryCaptureImageStorage, uid, series_number, "MR", "Screenshot Befundung")
    patient = study.patient
    pixels = np.full((120, 200, 3), 24, np.uint8)
    cv2.ellipse(pixels, (100, 70), (60, 38), 0, 0, 360, (150, 150, 160), -1)
    cv2.circle(pixels, (120, 62), 10, (230, 200, 60), 1)
    for line, text in enumerate((_ascii(patient.family), patient.id, f"{patient.birth:%d.%m.%Y}")):
        cv2.putText(pixels, text, (4, 14 + 13 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    ds.ConversionType, ds.ImageType = "WSD", ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    ds.BurnedInAnnotation, ds.PatientOrientation = "YES", ""
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = pixels.tobytes()
    return to_bytes(ds)


def report(study: Study, uid: str, series_number: int) -> bytes:
    """A report as Basic Text SR, which tells everything in plain words."""
    patient, centre = study.patient, study.patient.centre
    ds = _series(study, BasicTextSRStorage, uid, series_number, "SR", "Compte rendu")
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    text.TextValue = (
        f"Mme {patient.family}, née le {patient.birth:%d/%m/%Y}: O-RADS {patient.score}. {centre.physician}"
    )
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic imaging report")]
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ReferencedPerformedProcedureStepSequence, ds.PerformedProcedureCodeSequence = [], []
    ds.ContentSequence = [text]
    return to_bytes(ds)


def presentation_state(study: Study, uid: str, series_number: int, image_uid: str, image_series_uid: str) -> bytes:
    """A grayscale presentation state with an arrow's text upon one image."""
    ds = _series(study, GrayscaleSoftcopyPresentationStateStorage, uid, series_number, "PR", "Arrows")
    created = study.moment(3600)
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", image_uid
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = image_series_uid, [image]
    label = Dataset()
    label.AnchorPointAnnotationUnits, label.AnchorPointVisibility = "PIXEL", "Y"
    label.AnchorPoint, label.UnformattedTextValue = [40.0, 40.0], f"{study.patient.family}: mass"
    graphic = Dataset()
    graphic.GraphicLayer, graphic.TextObjectSequence = "NOTES", [label]
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "NOTES", 1
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [96, 96]
    area.PresentationSizeMode, area.PresentationPixelAspectRatio = "SCALE TO FIT", [1, 1]
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "NOTES", "", study.patient.centre.physician
    ds.PresentationCreationDate, ds.PresentationCreationTime = date_text(created), time_text(created)
    ds.PresentationLUTShape = "IDENTITY"
    ds.ReferencedSeriesSequence, ds.GraphicLayerSequence = [series], [layer]
    ds.GraphicAnnotationSequence, ds.DisplayedAreaSelectionSequence = [graphic], [area]
    return to_bytes(ds)


def dicomdir(study: Study) -> bytes:
    """The index file of a CD, as burning software leaves it: it names the patient and nothing else."""
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity, record.DirectoryRecordType = 0, "PATIENT"
    record.SpecificCharacterSet = study.patient.centre.charset
    record.PatientName, record.PatientID = study.patient.name, study.patient.id
    ds = Dataset()
    ds.file_meta = common(study, MediaStorageDirectoryStorage).file_meta
    ds.file_meta.MediaStorageSOPInstanceUID = study.uid("dicomdir")
    ds.FileSetID, ds.FileSetConsistencyFlag = "CD0001", 0
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.DirectoryRecordSequence = [record]
    return to_bytes(ds)


def _series(study: Study, sop_class: UID, uid: str, series_number: int, modality: str, text: str) -> Dataset:
    """A data set up to its series module, made an hour after the study began."""
    ds = common(study, sop_class)
    del ds.RequestAttributesSequence
    created = study.moment(3600)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{uid}.1")
    ds.Modality, ds.SeriesDescription = modality, text
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = uid, series_number, 1
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = date_text(created)
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = time_text(created)
    ds.Manufacturer = "Demo PACS"
    return ds


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _ascii(text: str) -> str:
    """The letters the drawing font has."""
    return text.replace("ü", "ue").encode("ascii", "replace").decode()
