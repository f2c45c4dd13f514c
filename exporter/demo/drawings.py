"""What readers have drawn, as DICOM objects: segmentations of three kinds, a structure set, a measurement report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, RTStructureSetStorage

from .geometry import Grid
from .objects import Study, common, date_text, time_text, to_bytes
from .outlines import outlines
from .phantom import Ellipsoid

SECOND_READER = "Ashgrove^Rowena^^Dr"
MAKER = "Demo PACS"
LESION = Code("52988006", "SCT", "Lesion")
CODES: Mapping[str, tuple[Code, Code]] = {
    "lesion": (Code("49755003", "SCT", "Morphologically Altered Structure"), LESION),
    "bladder": (Code("123037004", "SCT", "Anatomical Structure"), Code("89837001", "SCT", "Bladder")),
    "uterus": (Code("123037004", "SCT", "Anatomical Structure"), Code("35039007", "SCT", "Uterus")),
}


@dataclass(frozen=True)
class Structure:
    """A region of a structure set: what it is called there, and an ellipsoid, less another where it has a hole."""

    name: str
    body: Ellipsoid
    hole: Ellipsoid | None = None


def segmentation(
    study: Study, uid: str, number: int, images: Sequence[bytes], kind: str, drawn: Mapping[str, NDArray[Any]]
) -> bytes:
    """A DICOM segmentation of ``kind`` (BINARY, FRACTIONAL or LABELMAP) on a series of single-frame images.

    ``drawn`` holds by label arrays (slices, rows, columns) in the order of ``images``: 0 and 1, or shares.
    """
    import highdicom as hd  # a second to import, which the other parts of the trial need not wait for

    sources = [pydicom.dcmread(io.BytesIO(data)) for data in images]
    parts = np.stack(list(drawn.values()), axis=-1)
    pixels = (parts * np.arange(1, len(drawn) + 1)).max(axis=-1).astype(np.uint8) if kind == "LABELMAP" else parts
    described = [
        hd.seg.SegmentDescription(
            segment_number=k,
            segment_label=label.capitalize(),
            segmented_property_category=CODES[label][0],
            segmented_property_type=CODES[label][1],
            algorithm_type="MANUAL",
            tracking_uid=study.uid(uid, "track", k),
            tracking_id=f"{study.patient.family} {label}",
        )
        for k, label in enumerate(drawn, 1)
    ]
    ds = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=uid,
        series_number=number,
        sop_instance_uid=f"{uid}.1",
        instance_number=1,
        device_serial_number=study.patient.centre.serial,
        content_creator_name=SECOND_READER,
        content_label="SEGMENTATION",
        max_fractional_value=200,
        manufacturer=MAKER,
        manufacturer_model_name="Drawer",
        software_versions="1.0",
    )
    return to_bytes(_settled(ds, study))


def report(study: Study, uid: str, number: int, image: bytes, millimetres: float) -> bytes:
    """A measurement report (TID 1500) with the longest diameter of the lesion."""
    import highdicom as hd

    source = pydicom.dcmread(io.BytesIO(image))
    observer = hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121006", "DCM", "Person"),
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=SECOND_READER),
    )
    measured = hd.sr.Measurement(
        name=Code("103339001", "SCT", "Long Axis"), value=millimetres, unit=Code("mm", "UCUM", "millimeter")
    )
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=study.uid(uid, "track"), identifier="Lesion 1"),
        finding_type=LESION,
        measurements=[measured],
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(source)],
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=Code("44136-0", "LN", "MR Unspecified body region"),
        imaging_measurements=[group],
    )
    ds = hd.sr.ComprehensiveSR(
        evidence=[source],
        content=content[0],
        series_instance_uid=uid,
        series_number=number,
        sop_instance_uid=f"{uid}.1",
        instance_number=1,
        manufacturer=MAKER,
    )
    return to_bytes(_settled(ds, study))


def structure_set(
    study: Study, uid: str, number: int, images: Sequence[bytes], grid: Grid, drawn: Sequence[Structure]
) -> bytes:
    """A structure set: contours on the slices of a grid, holes as contours of their own."""
    headers = [pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True) for data in images]
    ds = common(study, RTStructureSetStorage)
    del ds.RequestAttributesSequence
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{uid}.1")
    ds.Modality, ds.SeriesDescription, ds.Manufacturer = "RTSTRUCT", "Konturen", MAKER
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = uid, number, 1
    ds.StructureSetLabel, ds.OperatorsName = "CONTOURS", SECOND_READER
    created = study.moment(7200)
    ds.StructureSetDate, ds.StructureSetTime = date_text(created), time_text(created)
    ds.ReferencedFrameOfReferenceSequence = [_frame(headers)]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for n, structure in enumerate(drawn, 1):
        ds.StructureSetROISequence.append(
            _item(
                ROINumber=n, ReferencedFrameOfReferenceUID=headers[0].FrameOfReferenceUID, ROIName=structure.name,
                ROIGenerationAlgorithm="MANUAL",
            )
        )  # fmt: skip
        contours = _contours(structure, grid, headers)
        ds.ROIContourSequence.append(_item(ReferencedROINumber=n, ContourSequence=contours))
        ds.RTROIObservationsSequence.append(
            _item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="ORGAN", ROIInterpreter="")
        )
    return to_bytes(ds)


def _contours(structure: Structure, grid: Grid, headers: Sequence[Dataset]) -> list[Dataset]:
    bodies = [structure.body, *([structure.hole] if structure.hole else [])]
    return [
        _item(
            ContourImageSequence=[_reference(headers[index])],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(cut.points),
            ContourData=[f"{v:.4f}" for v in cut.points.ravel()],
        )
        for body in bodies
        for index, cut in outlines(body, grid).items()
    ]


def volume(structure: Structure, grid: Grid) -> float:
    """What a structure measures on a grid in mm³: the exact areas of its outlines times the distance of the slices."""
    areas = [
        sum(cut.area for cut in outlines(body, grid).values()) for body in (structure.body, structure.hole) if body
    ]
    return (areas[0] - sum(areas[1:])) * grid.gap


def _frame(headers: Sequence[Dataset]) -> Dataset:
    """The images that a structure set was drawn on."""
    first = headers[0]
    series = _item(
        SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=[_reference(header) for header in headers]
    )
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _item(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _reference(header: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _settled(ds: Dataset, study: Study) -> Dataset:
    """The object as its centre would send it: its institution, and moments and UIDs of the study where the library
    takes the clock and chance."""
    ds.InstitutionName = study.patient.centre.institution
    del ds.ContributingEquipmentSequence  # it bears the library's clock
    created = study.moment(7200)
    for name in ("Content", "InstanceCreation", "Series"):
        if f"{name}Date" in ds or name != "Series":
            setattr(ds, f"{name}Date", date_text(created))
            setattr(ds, f"{name}Time", time_text(created))
    organisation = study.uid(ds.SOPInstanceUID, "dimensions")
    for sequence in (ds.get("DimensionOrganizationSequence", ()), ds.get("DimensionIndexSequence", ())):
        for item in sequence:
            item.DimensionOrganizationUID = organisation
    return ds
