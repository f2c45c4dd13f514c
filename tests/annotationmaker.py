"""Images, structure sets and segmentation objects that tests write: small, and analytical where volumes are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from trialbids.exporter.annotations.grid import LPS_TO_RAS, Grid

Points = NDArray[np.float64]
AXIAL = np.eye(3)


def grid_of(
    shape: tuple[int, int, int],
    voxel: Sequence[float] = (1.0, 1.0, 1.0),
    cosines: NDArray[np.float64] = AXIAL,
    corner: Sequence[float] = (0.0, 0.0, 0.0),
) -> Grid:
    """A grid whose axes run along the columns of ``cosines`` in LPS from ``corner`` (LPS mm) on."""
    affine = np.eye(4)
    affine[:3, :3] = cosines * np.asarray(voxel)
    affine[:3, 3] = corner
    return Grid(shape, tuple((LPS_TO_RAS @ affine).ravel()))


def rotation(x: float, y: float, z: float) -> NDArray[np.float64]:
    """Turned about x, y and z by angles in radians."""
    about = [
        np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]),
        np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]),
        np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]),
    ]
    return about[2] @ about[1] @ about[0]


def to_lps(grid: Grid, index: Points) -> Points:
    """Voxel indices ``[N, 3]`` as LPS mm."""
    matrix = LPS_TO_RAS @ grid.matrix
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def ellipses(
    grid: Grid, radius: Callable[[float], float], middle: Sequence[float], points: int = 720, axis: int = 2
) -> list[Points]:
    """Circles of ``radius(slice index)`` voxels about ``middle`` (voxel indices) on every slice of an axis, LPS mm."""
    angle = np.arange(points) * 2 * np.pi / points
    others = [a for a in range(3) if a != axis]
    drawn = []
    for number in range(grid.size[axis]):
        r = radius(float(number))
        if r <= 0:
            continue
        index = np.empty((points, 3))
        index[:, axis] = number
        index[:, others[0]] = middle[others[0]] + r * np.cos(angle)
        index[:, others[1]] = middle[others[1]] + r * np.sin(angle)
        drawn.append(to_lps(grid, index))
    return drawn


def ball(radius: float, middle: float) -> Callable[[float], float]:
    """The radius of a ball's circle on a slice."""
    return lambda number: float(np.sqrt(max(radius**2 - (number - middle) ** 2, 0.0)))


def structure_set(
    path: Path, structures: Iterable[tuple[str, str, Sequence[Points]]], frame: str = "1.2.3", series: str = "1.2.4"
) -> Path:
    """Write an RTSTRUCT of (name, contour type, contours in LPS mm)."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = RTStructureSetStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientID, ds.Modality = "1.2.5", "1.2.6", "P1", "RTSTRUCT"
    ds.OperatorsName = "Doe^Jane"
    referenced, study, drawn_on = Dataset(), Dataset(), Dataset()
    drawn_on.SeriesInstanceUID = series
    study.ReferencedSOPInstanceUID, study.RTReferencedSeriesSequence = "1.2.5", [drawn_on]
    referenced.FrameOfReferenceUID, referenced.RTReferencedStudySequence = frame, [study]
    ds.ReferencedFrameOfReferenceSequence = [referenced]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, kind, contours) in enumerate(structures, start=1):
        roi, contour, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        roi.ROIGenerationAlgorithm = "MANUAL"
        contour.ReferencedROINumber = seen.ReferencedROINumber = number
        contour.ContourSequence = [_contour(kind, points) for points in contours]
        seen.ObservationNumber, seen.RTROIInterpretedType, seen.ROIInterpreter = number, "GTV", ""
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(contour)
        ds.RTROIObservationsSequence.append(seen)
    ds.save_as(path, enforce_file_format=True)
    return path


def _contour(kind: str, points: Points) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
    contour.ContourData = [f"{value:.4f}" for value in np.asarray(points).ravel()]
    return contour


def ct_series(grid: Grid) -> list[Dataset]:
    """A classic CT series, one instance a slice along the grid's third axis."""
    matrix = LPS_TO_RAS @ grid.matrix
    edges = np.linalg.norm(matrix[:3, :3], axis=0)
    uids = {"study": generate_uid(), "series": generate_uid(), "frame": generate_uid()}
    columns, rows, slices = grid.size
    out = []
    for number in range(slices):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = uids.values()
        ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "P1", "Roe^Richard", "", "M"
        ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20200101", "100000", "1", ""
        ds.ReferringPhysicianName, ds.PositionReferenceIndicator = "", ""
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber, ds.ImageType = "CT", 1, number + 1, ["ORIGINAL", "PRIMARY"]
        ds.ImagePositionPatient = [f"{v:.6f}" for v in matrix[:3, 3] + number * matrix[:3, 2]]
        ds.ImageOrientationPatient = [f"{v:.10f}" for v in (matrix[:3, :2] / edges[:2]).T.ravel()]
        ds.PixelSpacing, ds.SliceThickness = [f"{edges[1]:.6f}", f"{edges[0]:.6f}"], f"{edges[2]:.6f}"
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.RescaleIntercept, ds.RescaleSlope = 0, 1
        ds.PixelData = np.zeros((rows, columns), np.uint16).tobytes()
        out.append(ds)
    return out


def segmentation(
    images: Sequence[Dataset], voxels: NDArray[np.generic], kind: str = "BINARY", **options: object
) -> highdicom.seg.Segmentation:
    """A SEG object by highdicom from voxels ``[X, Y, Z]`` or, of several segments, ``[X, Y, Z, S]``."""
    pixels = np.moveaxis(voxels, (0, 1, 2), (2, 1, 0))
    count = voxels.shape[3] if voxels.ndim == 4 else int(voxels.max()) if kind == "LABELMAP" else 1
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"part {number}",
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver if number == 1 else codes.SCT.Spleen,
            algorithm_type="MANUAL",
            tracking_id=f"T{number}",
            tracking_uid=generate_uid(),
        )
        for number in range(1, count + 1)
    ]
    return highdicom.seg.Segmentation(
        source_images=list(images),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="M",
        manufacturer_model_name="N",
        software_versions="1",
        device_serial_number="1",
        content_creator_name="Doe^Jane",
        **options,
    )
