"""A trial of one patient with annotations of every kind, for tests: images, tables, masks and DICOM objects."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom
import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from stackmaker import COLUMNS, ROWS, axial, write_series
from test_export_again import export

from trialbids.exporter.annotations.drawings import Drawings, drawings_of
from trialbids.exporter.annotations.resolve import Assigned, assign
from trialbids.exporter.engine import Serial
from trialbids.exporter.pipeline import plan_trial, scan_trial
from trialbids.exporter.places import workplace
from trialbids.exporter.progress import Silent
from trialbids.exporter.release.export import Exported
from trialbids.exporter.trial import Trial, load_trial

SLICES = 8
T2, STUDY, FRAME = "1.2.3.10", "1.2.3.1", "1.2.3.2"
AFFINE = np.array([[-1.25, 0, 0, 10.0], [0, -1.5, 0, 9.0], [0, 0, 4.0, 0], [0, 0, 0, 1]])
"""Of the T2's DICOM order: columns, rows, slices to RAS+ mm."""

LESION, TISSUE = Code("52988006", "SCT", "Lesion"), codes.SCT.MorphologicallyAbnormalStructure
ORGAN, ANATOMY = Code("91772007", "SCT", "Organ"), codes.SCT.AnatomicalStructure


@dataclass(frozen=True)
class Segment:
    """A segment to write: voxels ``[X, Y, Z]`` in DICOM order, what it is called and coded."""

    voxels: NDArray[np.generic]
    label: str = "Lesion"
    code: Code = LESION


def block(*corner: int, size: int = 2) -> NDArray[np.uint8]:
    """A mask with one cube whose first voxel is ``corner``."""
    voxels = np.zeros((COLUMNS, ROWS, SLICES), np.uint8)
    voxels[tuple(slice(c, c + size) for c in corner)] = 1
    return voxels


class Drawn:
    """The folder of a trial: ``in`` holds the DICOM, ``trial.yaml`` and the tables lie beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "in"
        self.t2 = self.series("t2", SeriesInstanceUID=T2)

    def series(self, name: str, **changes: object) -> list[Path]:
        """One more axial T2 series of the patient's study."""
        common = {"SeriesDescription": "t2_tse_tra", "StudyInstanceUID": STUDY, "FrameOfReferenceUID": FRAME}
        return write_series(self.source / name, axial(SLICES), **(common | changes))

    def mask(self, name: str, voxels: NDArray[np.generic], affine: NDArray[np.float64] = AFFINE) -> str:
        """A NIfTI mask beside the table; gives its name there."""
        nibabel.save(nibabel.Nifti1Image(voxels, affine), self.folder / name)
        return name

    def table(self, *rows: Mapping[str, object], name: str = "drawn.csv") -> Path:
        """The annotations table; what a row does not say is lesion, Grey, manual."""
        common = {"label": "lesion", "reader": "Dr Grey", "method": "manual"}
        full = [{**common, **row} for row in rows]
        columns = list(dict.fromkeys(key for row in full for key in row))
        with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(full)
        return self.folder / name

    def seg(
        self, segments: Sequence[Segment], paths: Sequence[Path] | None = None, kind: str = "BINARY", **changes: object
    ) -> Path:
        """A segmentation object, written by highdicom; ``changes`` are keywords set afterwards, None deletes one."""
        images = [dcmread(path) for path in (paths or self.t2)]
        for image in images:  # highdicom copies what the standard asks of every image
            for keyword in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyTime"):
                image.setdefault(keyword, "")
        stacked = np.stack([segment.voxels.T for segment in segments], axis=-1)  # slices, rows, columns, segments
        described = [
            highdicom.seg.SegmentDescription(
                n, s.label, ANATOMY if s.code == ORGAN else TISSUE, s.code,
                highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for n, s in enumerate(segments, start=1)
        ]  # fmt: skip
        data = highdicom.seg.Segmentation(
            images, stacked, kind, described, generate_uid(), 90, generate_uid(), 1, "Maker", "Model", "1", "7",
            content_creator_name="Black^Anna",
        )  # fmt: skip
        for keyword, value in changes.items():
            delattr(data, keyword) if value is None else setattr(data, keyword, value)
        return self._save(data, "seg")

    def rtstruct(self, structures: Mapping[str, NDArray[np.float64]], frame: str = FRAME, **changes: object) -> Path:
        """A structure set: by name a rectangle as corners ``[4, 3]`` in LPS mm, on the T2."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        first = dcmread(self.t2[0])
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
            setattr(data, keyword, first[keyword].value)
        data.SOPClassUID, data.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.Modality, data.SeriesNumber = generate_uid(), "RTSTRUCT", 95
        data.OperatorsName = "Black^Anna"
        series = items(SeriesInstanceUID=T2)
        study = items(ReferencedSOPInstanceUID=STUDY, RTReferencedSeriesSequence=series)
        data.ReferencedFrameOfReferenceSequence = items(FrameOfReferenceUID=frame, RTReferencedStudySequence=study)
        rois, contours = [], []
        for number, (name, corners) in enumerate(structures.items(), start=1):
            roi = {"ROINumber": number, "ROIName": name, "ReferencedFrameOfReferenceUID": frame}
            rois.append(items(**roi, ROIGenerationAlgorithm="MANUAL")[0])
            points = [f"{value:.3f}" for value in corners.ravel()]
            closed = {"ContourGeometricType": "CLOSED_PLANAR", "NumberOfContourPoints": len(corners)}
            one = items(**closed, ContourData=points)
            contours.append(items(ReferencedROINumber=number, ContourSequence=one)[0])
        data.StructureSetROISequence, data.ROIContourSequence = Items(rois), Items(contours)
        for keyword, value in changes.items():
            setattr(data, keyword, value)
        return self._save(data, "rtstruct")

    def trial(self, annotations: str = "{table: drawn.csv}", more: str = "") -> Trial:
        """The configuration as it is read from its file."""
        text = f"sources: [in]\noutput: out\nwork: work\nannotations: {annotations}\n{more}"
        path = self.folder / "trial.yaml"
        path.write_text(text, encoding="utf-8")
        return load_trial(path)

    def export(self, annotations: str = "{table: drawn.csv}", more: str = "") -> Exported:
        """One whole run."""
        return export(self.trial(annotations, more))

    def found(self, annotations: str = "{objects: true}") -> tuple[Drawings, Assigned]:
        """What an export would find to write, without the export: all drawings, and the images that they are on."""
        trial = self.trial(annotations)
        with Serial() as engine, workplace(trial) as pseudonyms:
            plan = plan_trial(trial, scan_trial(trial, engine, Silent()), pseudonyms, Silent())
            drawings = drawings_of(trial.annotations, plan, trial.work)
        return drawings, assign(drawings.all, plan)

    def files(self, pattern: str = "*") -> list[Path]:
        """The released files of annotations of this name, below the session."""
        root = self.folder / "out" / "derivatives" / "annotations"
        return sorted(path for path in root.glob(f"sub-*/ses-*/*/{pattern}") if path.is_file())

    def only_image(self) -> Path:
        """The one released image."""
        (path,) = (self.folder / "out").glob("sub-*/ses-*/*/*.nii.gz")
        return path

    def _save(self, data: Dataset, name: str) -> Path:
        folder = self.source / name
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}.dcm"
        data.save_as(path, enforce_file_format=True)
        return path


def items(**values: object) -> Items:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Items([item])


def drawn_voxels(path: Path) -> NDArray[np.generic]:
    """A released mask in the order of the DICOM: columns, rows, slices."""
    image = nibabel.load(path)
    assert isinstance(image, nibabel.Nifti1Image)
    order = np.linalg.solve(AFFINE, np.asarray(image.affine))
    voxels = np.asanyarray(image.dataobj)
    flips = tuple(slice(None, None, -1 if order[axis, axis] < 0 else 1) for axis in range(3))
    return voxels[flips]


def rectangle(x: Iterable[float], y: Iterable[float], z: float) -> NDArray[np.float64]:
    """The corners ``[4, 3]`` of a rectangle in an axial plane (LPS mm)."""
    (left, right), (front, back) = x, y
    return np.array([[left, front, z], [right, front, z], [right, back, z], [left, back, z]])
