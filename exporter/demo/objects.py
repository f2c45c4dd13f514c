"""Turns a series into DICOM objects with the headers of a hospital: names, numbers and remarks everywhere."""

from __future__ import annotations

import copy
import hashlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from .people import Patient, Visit
from .series import Private, Product, Series


@dataclass(frozen=True)
class Study:
    """One examination of one patient, and the source of its UIDs."""

    patient: Patient
    visit: Visit
    seed: int

    def uid(self, *path: object) -> UID:
        """A UID under 2.25 (ITU-T X.667) made from the seed and a path of words: the same words, the same UID."""
        words = "/".join(str(word) for word in (self.seed, self.patient.index, self.visit.number, *path))
        return UID(f"2.25.{int.from_bytes(hashlib.sha256(words.encode()).digest()[:15], 'big')}")

    def moment(self, after_s: float) -> datetime:
        """The date and time so many seconds after the study began."""
        return datetime.combine(self.visit.day, time()) + timedelta(seconds=self.visit.start_s + after_s)


def date_text(moment: datetime) -> str:
    """A DICOM DA value."""
    return f"{moment:%Y%m%d}"


def time_text(moment: datetime) -> str:
    """A DICOM TM value with a fraction."""
    return f"{moment:%H%M%S.%f}"


def number(value: float) -> str:
    """A DICOM DS value: at most 16 characters."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def common(study: Study, sop_class: UID) -> Dataset:
    """The patient, study and equipment modules, identifiers and all."""
    patient, visit, centre = study.patient, study.visit, study.patient.centre
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if centre.vendor == "philips" else ExplicitVRLittleEndian
    ds.file_meta.FileMetaInformationVersion = b"\x00\x01"
    ds.file_meta.ImplementationClassUID = UID("2.25.271828182845904523536028747135266")
    ds.file_meta.ImplementationVersionName = "DEMO_PACS_1"
    ds.file_meta.SourceApplicationEntityTitle = centre.station
    ds.SpecificCharacterSet = centre.charset
    start = study.moment(0)
    ds.StudyDate, ds.StudyTime = date_text(start), time_text(start)
    ds.AccessionNumber = visit.accession
    ds.InstitutionName, ds.InstitutionAddress = centre.institution, centre.address
    ds.InstitutionalDepartmentName, ds.StationName = centre.department, centre.station
    ds.ReferringPhysicianName, ds.OperatorsName = centre.referrer, centre.operator
    ds.PerformingPhysicianName = centre.physician
    ds.StudyDescription = centre.study_text.format(family=patient.family)
    ds.PatientName, ds.PatientID = patient.name, patient.id
    ds.PatientBirthDate, ds.PatientSex = f"{patient.birth:%Y%m%d}", "F"
    ds.OtherPatientIDs = f"SV{patient.birth:%d%m%y}{patient.index:03d}"
    ds.PatientAge = f"{patient.age_at(visit):03d}Y"
    ds.PatientSize, ds.PatientWeight = patient.height_m, patient.weight_kg
    ds.PatientAddress, ds.PatientTelephoneNumbers = patient.street, patient.phone
    ds.PatientComments = f"Tel. {patient.phone}, Arzt/médecin: {centre.referrer.split('^')[0]}"
    ds.DeviceSerialNumber = centre.serial
    ds.StudyInstanceUID, ds.StudyID = study.uid("study"), str(1000 + patient.index)
    ds.RequestAttributesSequence = [_request(study)]
    return ds


def _request(study: Study) -> Dataset:
    """A request item: identifiers two levels deep."""
    patient, centre = study.patient, study.patient.centre
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    referenced.ReferencedSOPInstanceUID = study.uid("request")
    item = Dataset()
    item.ReferencedStudySequence = [referenced]
    item.AccessionNumber = study.visit.accession
    item.RequestedProcedureDescription = centre.study_text.format(family=patient.family)
    item.RequestedProcedureID = f"RP{study.visit.accession[3:]}"
    item.ScheduledProcedureStepID = f"SPS{study.visit.accession[3:]}"
    item.RequestingPhysician = centre.referrer
    return item


def describe_series(ds: Dataset, study: Study, series: Series, series_number: int, start_s: float) -> None:
    """The series and frame-of-reference modules of an MR series."""
    start = study.moment(start_s)
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "MR", "PELVIS", "FFS"
    ds.SeriesDescription, ds.ProtocolName = series.text, series.protocol or series.text
    ds.SeriesInstanceUID, ds.SeriesNumber = study.uid("series", series.role), series_number
    ds.SeriesDate, ds.SeriesTime = date_text(start), time_text(start)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = study.uid("frame"), ""


def add_private(ds: Dataset, elements: tuple[Private, ...]) -> None:
    """Write private elements, reserving their blocks."""
    for element in elements:
        block = ds.private_block(element.group, element.creator, create=True)
        if element.vr:
            block.add_new(element.offset, element.vr, element.value)


def remarks(study: Study) -> tuple[Private, ...]:
    """What the vendor's software noted down about the patient in private text."""
    patient, centre = study.patient, study.patient.centre
    match centre.vendor:
        case "siemens":
            return (
                Private(0x0051, "SIEMENS MR HEADER", 0x0F, "LO", "C:BO1,2;SP2-4"),
                Private(
                    0x0029, "SIEMENS MEDCOM OOG", 0x40, "LT", f"Befund diktiert {centre.physician}: {patient.name}"
                ),
            )
        case "ge":
            return (
                Private(0x0009, "GEMS_IDEN_01", 0x02, "SH", centre.station),
                Private(0x0011, "GEMS_PATI_01", 0x40, "LT", f"Mme {patient.family}, protocole {centre.operator}"),
            )
        case _:
            return (Private(0x2001, "Philips Imaging DD 001", 0xC8, "LO", f"{patient.family} {patient.id}"),)


def classic_objects(study: Study, series: Series, series_number: int, start_s: float) -> Iterator[bytes]:
    """Every slice of the series as an MR Image Storage file of its own, in the order of InstanceNumber."""
    base = common(study, MRImageStorage)
    describe_series(base, study, series, series_number, start_s)
    _assign(base, {"AcquisitionNumber": 1, "ScanOptions": "", "ImagedNucleus": "1H", "NumberOfAverages": 1})
    _assign(base, series.header)
    base.ImageComments = f"{study.patient.family}, {series.text}"
    headers = [_product_header(base, study, series, product, start_s) for product in series.products]
    implicit = base.file_meta.TransferSyntaxUID.is_implicit_VR
    meta = encode(base.file_meta, False)
    shared = [encode(header, implicit) for header in headers]
    order = [(p, k) for p, product in enumerate(series.products) for k in range(product.grid.slices)]
    if series.interleaved:
        order.sort(key=lambda pair: (pair[1], pair[0]))
    for instance, (p, k) in enumerate(order, 1):
        if k not in series.lost_slices:
            own = _slice_header(study, series, series.products[p], k, instance)
            named = FileMetaDataset()
            named.MediaStorageSOPInstanceUID = own.SOPInstanceUID
            yield _file(meta | encode(named, False), shared[p] | encode(own, implicit))


def _product_header(base: Dataset, study: Study, series: Series, product: Product, start_s: float) -> Dataset:
    """The header all slices of one product share."""
    ds = Dataset({element.tag: copy.copy(element) for element in base})
    grid, taken = product.grid, study.moment(start_s + product.offset_s)
    _assign(ds, product.header)
    add_private(ds, (*remarks(study), *series.private, *product.private))
    ds.AcquisitionDate = ds.ContentDate = date_text(taken)
    ds.AcquisitionTime, ds.ContentTime = time_text(taken), time_text(taken)
    ds.EchoNumbers = 1
    ds.ImagesInAcquisition = sum(p.grid.slices for p in series.products)
    ds.SliceThickness, ds.SpacingBetweenSlices = number(grid.thickness), number(grid.gap)
    ds.PixelSpacing = [number(grid.pixel)] * 2
    ds.ImageOrientationPatient = [number(v) for v in (*grid.row, *grid.column)]
    ds.AcquisitionMatrix = [0, grid.matrix[1], grid.matrix[0], 0]
    ds.InPlanePhaseEncodingDirection = "ROW"
    ds.Rows, ds.Columns = grid.matrix
    describe_pixels(ds)
    brightest = int(stored_pixels(product.image, series.slope).max())
    ds.WindowCenter, ds.WindowWidth = brightest // 2, brightest + 1
    if series.slope is not None:
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", number(series.slope), "normalized"
    return ds


def _slice_header(study: Study, series: Series, product: Product, index: int, instance: int) -> Dataset:
    """What belongs to one slice alone: its place, number and pixels."""
    ds = Dataset()
    position = product.grid.position(index)
    ds.SOPInstanceUID = study.uid("series", series.role, instance)
    ds.InstanceNumber = instance
    ds.ImagePositionPatient = [number(v) for v in position]
    ds.SliceLocation = number(float(position @ product.grid.normal))
    pixels = stored_pixels(product.image[index], series.slope)
    ds.add_new("PixelData", "OW", pixels.tobytes())  # the VR is said: pydicom would need the whole header to tell
    return ds


def encode(ds: Dataset, implicit: bool) -> dict[int, bytes]:
    """Every element of the data set as bytes by its tag.

    Writing the shared part of a series once, instead of with every slice, makes the trial several times faster.
    """
    charset = convert_encodings(ds.get("SpecificCharacterSet"))
    elements: dict[int, bytes] = {}
    for element in ds:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
        write_data_element(buffer, element, charset)
        elements[int(element.tag)] = buffer.getvalue()
    return elements


def _file(meta: dict[int, bytes], elements: dict[int, bytes]) -> bytes:
    """A DICOM file: preamble, file meta information with its length, then the elements in the order of their tags."""
    head = b"".join(meta[tag] for tag in sorted(meta))
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(head))
    return b"".join((bytes(128), b"DICM", length, head, *(elements[tag] for tag in sorted(elements))))


def describe_pixels(ds: Dataset) -> None:
    """12 bits in 16, unsigned, as MR scanners store them."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0


def stored_pixels(image: NDArray[np.float64], slope: float | None) -> NDArray[np.uint16]:
    """Scanner units as stored 12-bit values."""
    return np.clip(np.rint(image / (slope or 1.0)), 0, 4095).astype("<u2")


def _assign(ds: Dataset, header: Any) -> None:
    for keyword, value in header.items():
        setattr(ds, keyword, number(value) if isinstance(value, float) and keyword != "DiffusionBValue" else value)


def to_bytes(ds: Dataset) -> bytes:
    """The object as a DICOM file with preamble and file meta information."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
