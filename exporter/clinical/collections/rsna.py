"""RSNA Pneumonia Detection Challenge: opacities as boxes on chest radiographs, one image a patient.

``stage_2_train_labels.csv`` has a row a box, ``patientId,x,y,width,height,Target``: ``x`` and ``y`` are the column and
row (from 0, may have a fraction) of the box's upper left pixel, ``Target`` is 1 with a box and 0 (four blanks) without
one. ``stage_2_detailed_class_info.csv`` beside it says for every patient ``Normal``, ``No Lung Opacity / Not Normal``
or ``Lung Opacity``, as often as the patient has rows. ``patientId`` is the name of the DICOM file and its PatientID.

Source: Shih, Wu, Halabi et al., Radiology: AI 1:e180041 (2019), doi:10.1148/ryai.2019180041;
kaggle.com/c/rsna-pneumonia-detection-challenge/data.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...tables import read_table
from ..sheet import Sheet

COLUMNS = ("patientId", "x", "y", "width", "height", "Target")
CLASSES = {"Normal": "normal", "No Lung Opacity / Not Normal": "other", "Lung Opacity": "opacity"}
"""The words of the challenge, and how they leave: ``other`` is abnormal without an opacity."""

CLASS_FILE = "stage_2_detailed_class_info.csv"


@dataclass(frozen=True, slots=True)
class Opacity:
    """One box; ``x``, ``y``, ``width``, ``height`` in pixels as the file says them (private: patient and line)."""

    line: int
    patient: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A patient's target (``0`` or ``1``), and the line where the patient is first met."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Labels:
    """Every patient with its target, in the order of the file, and all boxes."""

    targets: dict[str, Seen]
    boxes: tuple[Opacity, ...]


def read_rsna(file: Path) -> Labels:
    """The labels of the challenge.

    Raises ``UsageError`` naming the line of a value that is none, of a target without its box or a box without it.
    """
    rows = read_table(file)
    for name in COLUMNS:
        if rows and name not in rows[0]:
            raise UsageError(f"{file}: has no column {name}; its columns must be {', '.join(COLUMNS)}")
    targets: dict[str, Seen] = {}
    boxes = []
    for line, row in enumerate(rows, start=2):
        patient, target = row["patientId"], row["Target"]
        corner = [row[name] for name in ("x", "y", "width", "height")]
        if target not in ("0", "1") or (target == "1") != all(corner) or (target == "0") != (not any(corner)):
            raise UsageError(f"{file}: line {line}: expected Target 1 with a whole box, or 0 with none")
        if targets.setdefault(patient, Seen(target, line)).value != target:
            raise UsageError(f"{file}: line {line}: Target: differs from an earlier row of the same patient")
        if target == "1":
            boxes.append(_box(file, line, patient, corner))
    return Labels(targets, tuple(boxes))


def rsna_sheet(file: Path) -> Sheet:
    """One row a patient: ``patient``, ``target`` (0, 1), ``opacities`` (how many boxes), and ``finding`` (``normal``,
    ``other``, ``opacity``) where the file of classes lies beside.

    Raises ``UsageError`` as :func:`read_rsna` does, and where a class is unknown or contradicts itself.
    """
    labels = read_rsna(file)
    findings = _findings(file.with_name(CLASS_FILE))
    counts = Counter(box.patient for box in labels.boxes)
    columns = {
        "patient": list(labels.targets),
        "target": [target.value for target in labels.targets.values()],
        "opacities": [str(counts[patient]) for patient in labels.targets],
        "finding": [findings.get(patient, "") for patient in labels.targets],
    }
    return Sheet(file, columns, [target.line for target in labels.targets.values()])


def _box(file: Path, line: int, patient: str, corner: list[str]) -> Opacity:
    try:
        x, y, width, height = (float(value) for value in corner)
    except ValueError as error:
        raise UsageError(f"{file}: line {line}: x, y, width and height: expected numbers") from error
    if not all(map(math.isfinite, (x, y, width, height))) or min(x, y) < 0 or min(width, height) <= 0:
        raise UsageError(f"{file}: line {line}: the box lies outside of every image or has no area")
    return Opacity(line, patient, x, y, width, height)


def _findings(file: Path) -> dict[str, str]:
    """The class of every patient; nothing where there is no such file."""
    if not file.is_file():
        return {}
    findings: dict[str, str] = {}
    for line, row in enumerate(read_table(file), start=2):
        patient, said = row.get("patientId", ""), row.get("class", "")
        if said not in CLASSES:
            raise UsageError(f"{file}: line {line}: class: expected one of {', '.join(CLASSES)}")
        if findings.setdefault(patient, CLASSES[said]) != CLASSES[said]:
            raise UsageError(f"{file}: line {line}: class: differs from an earlier row of the same patient")
    return findings
