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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...tables import read_lines
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
    """A patient's target (``0`` or ``1``, "" where its rows cannot be used), and the line where it is first met."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Labels:
    """Every patient with its target, in the order of the file, and the boxes of those that have one.

    ``remarks`` name the lines that cannot be used; their patients have neither target nor boxes.
    """

    targets: dict[str, Seen]
    boxes: tuple[Opacity, ...]
    remarks: tuple[str, ...] = ()


def read_rsna(file: Path) -> Labels:
    """The labels of the challenge. Raises ``UsageError`` where the file is no table of it."""
    rows = read_lines(file)
    for name in COLUMNS:
        if rows and name not in rows[0][1]:
            raise UsageError(f"{file}: has no column {name}; its columns must be {', '.join(COLUMNS)}")
    targets: dict[str, Seen] = {}
    boxes: list[Opacity] = []
    remarks: list[str] = []
    refused: set[str] = set()
    for line, row in rows:
        patient, target = row["patientId"], row["Target"]
        box, why = _box(line, row)
        if not why and targets.setdefault(patient, Seen(target, line)).value != target:
            why = "Target: differs from an earlier row of the same patient"
        if why:
            targets.setdefault(patient, Seen("", line))
            refused.add(patient)
            remarks.append(f"line {line}: {why}; the patient has no value and no box")
        elif box is not None:
            boxes.append(box)
    if rows and refused == targets.keys():
        raise UsageError(f"{file}: {remarks[0].partition(';')[0]}; no patient is left that can be used")
    targets |= {patient: Seen("", targets[patient].line) for patient in refused}
    return Labels(targets, tuple(box for box in boxes if box.patient not in refused), tuple(remarks))


def rsna_sheet(file: Path) -> Sheet:
    """One row a patient: ``patient``, ``target`` (0, 1), ``opacities`` (how many boxes), and ``finding`` (``normal``,
    ``other``, ``opacity``) where the file of classes lies beside. What cannot be used is blank, and the remarks say so.

    Raises ``UsageError`` as :func:`read_rsna` does.
    """
    labels = read_rsna(file)
    findings, remarks = _findings(file.with_name(CLASS_FILE))
    counts = Counter(box.patient for box in labels.boxes)
    columns = {
        "patient": list(labels.targets),
        "target": [target.value for target in labels.targets.values()],
        "opacities": [str(counts[name]) if seen.value else "" for name, seen in labels.targets.items()],
        "finding": [findings.get(patient, "") for patient in labels.targets],
    }
    lines = [target.line for target in labels.targets.values()]
    return Sheet(file, columns, lines, (*labels.remarks, *remarks))


def _box(line: int, row: Mapping[str, str]) -> tuple[Opacity | None, str]:
    """The box of a row, None where it says that there is none; or why the row cannot be used."""
    corner = [row[name] for name in ("x", "y", "width", "height")]
    if row["Target"] == "0" and not any(corner):
        return None, ""
    if row["Target"] != "1" or not all(corner):
        return None, "expected Target 1 with a whole box, or 0 with none"
    try:
        x, y, width, height = (float(value) for value in corner)
    except ValueError:
        return None, "x, y, width and height: expected numbers"
    if not all(map(math.isfinite, (x, y, width, height))) or min(x, y) < 0 or min(width, height) <= 0:
        return None, "the box lies outside of every image or has no area"
    return Opacity(line, row["patientId"], x, y, width, height), ""


def _findings(file: Path) -> tuple[dict[str, str], list[str]]:
    """The class of every patient, "" where its rows differ or one is unknown; and sentences on these.

    Nothing where there is no such file.
    """
    findings: dict[str, str] = {}
    remarks: list[str] = []
    for line, row in read_lines(file) if file.is_file() else ():
        patient, said = row.get("patientId", ""), CLASSES.get(row.get("class", ""), "")
        if not said:
            remarks.append(f"{file.name} line {line}: class: expected one of {', '.join(CLASSES)}")
            findings[patient] = ""
        elif findings.setdefault(patient, said) not in ("", said):
            remarks.append(
                f"{file.name} line {line}: class: differs from an earlier row of the patient: it has no value"
            )
            findings[patient] = ""
    return findings, remarks
