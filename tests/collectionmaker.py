"""Annotation files of the forms of known public collections, written by the tests."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from dicommaker import file_bytes
from pydicom.dataset import Dataset
from pydicom.uid import UID

SCORES = {
    "subtlety": 5, "internalStructure": 1, "calcification": 6, "sphericity": 3, "margin": 4, "lobulation": 1,
    "spiculation": 2, "texture": 5, "malignancy": 4,
}  # fmt: skip


def tag(name: str, *content: object) -> str:
    """An XML element."""
    return f"<{name}>{''.join(map(str, content))}</{name}>"


def roi(uid: str, z: float | str, points: Iterable[Sequence[object]], inclusion: str = "TRUE") -> str:
    """An outline on one slice."""
    edges = (tag("edgeMap", tag("xCoord", x), tag("yCoord", y)) for x, y in points)
    return tag("roi", tag("imageZposition", z), tag("imageSOP_UID", uid), tag("inclusion", inclusion), *edges)


def nodule(name: str, *rois: str, scores: Mapping[str, object] | None = None) -> str:
    """A nodule; ``scores`` None as it is written for those under 3 mm."""
    said = "" if scores is None else tag("characteristics", *(tag(key, value) for key, value in scores.items()))
    return tag("unblindedReadNodule", tag("noduleID", name), said, *rois)


def non_nodule(name: str, uid: str, z: float, x: int, y: int) -> str:
    """A finding of 3 mm or more that is no nodule."""
    locus = tag("locus", tag("xCoord", x), tag("yCoord", y))
    return tag("nonNodule", tag("nonNoduleID", name), tag("imageZposition", z), tag("imageSOP_UID", uid), locus)


def lidc_xml(series: str, study: str, *readings: Sequence[str]) -> str:
    """The readings of one CT scan; each reading is the marks of one reader."""
    header = tag(
        "ResponseHeader",
        tag("Version", "1.8.1"),
        tag("TaskDescription", "Second unblinded read"),
        tag("SeriesInstanceUid", series),
        tag("StudyInstanceUID", study),
    )
    sessions = (
        tag("readingSession", tag("annotationVersion", "3.12"), tag("servicingRadiologistID", "anonymous"), *marks)
        for marks in readings
    )
    schema = 'uid="1.3.6.1.4.1.14519.5.2.1" xmlns="http://www.nih.gov"'
    body = "\n".join((header, *sessions))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage {schema}>{body}</LidcReadMessage>\n'


def border(left: int, top: int, right: int, bottom: int) -> list[tuple[int, int]]:
    """The pixels around a rectangle, one after the other, as a reader's outline holds them; the first closes it."""
    across, down = range(left, right), range(top, bottom)
    way = [(x, top) for x in across] + [(right, y) for y in down]
    way += [(right + left - x, bottom) for x in across] + [(left, bottom + top - y) for y in down]
    return [*way, (left, top)]


CHEXPERT = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
"""The header line of CheXpert's ``train.csv``."""


def write(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Scan:
    """A series as written: its UIDs, and the z of each slice by SOP instance UID."""

    series: str
    study: str
    slices: dict[str, float]


def write_series(
    folder: Path, template: Dataset, patient: str, *, number: int = 1, slices: int = 6, size: int = 32, **header: object
) -> Scan:
    """An axial series of this object's kind, 1 mm pixels, 2.5 mm apart, with pixels of noise; headers can be given."""
    random = np.random.default_rng(int(sha256(f"{patient} {number}".encode()).hexdigest()[:8], 16))
    scan = Scan(_uid(patient, number), _uid(patient, header.get("StudyID"), "study"), {})
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(slices):
        ds = copy.deepcopy(template)
        ds.PatientID, ds.PatientName, ds.SeriesNumber = patient, f"Named^{patient}", number
        ds.StudyInstanceUID, ds.SeriesInstanceUID = scan.study, scan.series
        ds.FrameOfReferenceUID = _uid(patient, "frame")
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(_uid(patient, number, k))
        ds.InstanceNumber, ds.Rows, ds.Columns = k + 1, size, size
        ds.ImagePositionPatient, ds.SliceThickness = [-16, -20, -10 + 2.5 * k], 2.5
        ds.PixelData = random.integers(100, 900, size * size, np.uint16).tobytes()
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        (folder / f"{number:02d}-{k:03d}.dcm").write_bytes(file_bytes(ds))
        scan.slices[str(ds.SOPInstanceUID)] = -10 + 2.5 * k
    return scan


def _uid(*words: object) -> str:
    return f"2.25.{int(sha256(repr(words).encode()).hexdigest()[:24], 16)}"
