"""The tables and masks that come beside the images, as a centre and its readers would send them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .geometry import Grid
from .people import CENTRES, Patient, Visit
from .phantom import LESION, Phantom

COMMENTS = {
    "siemens": "Fr. {family} bittet um Rückruf unter {phone}",
    "ge": "Mme {family} suivie par {referrer}",
    "philips": "Mrs {family}, lives at {street}",
}

CONFIGURATION = """\
trial: demo
sources: [incoming]
output: bids
work: work
subject: {tag: PatientID}
session: {order: StudyDate}
site: {table: sites.csv, by: InstitutionName, column: site}
protocol: none
clinical:
  - table: clinical.csv
    subject: patient_id
    visit: visit
    columns: {age: number, sex: [F, M], orads_score: number, ca125: number}
  - table: pathology.parquet
    subject: patient
    columns:
      histology: {levels: {b: benign, m: malignant}, description: Result of the histology}
      size_mm: {type: number, unit: mm, missing: ["-99"], description: Largest diameter of the specimen}
      surgery: {type: date, description: Day of the operation}
    into: phenotype/pathology
criteria:
  - id: adult
    level: subject
    include: age >= 18
    sentence: Participants of 18 years and older
  - id: t2
    level: session
    include: has(T2w, sag)
    sentence: Visits with a sagittal T2
  - id: signal
    level: stack
    after: conversion
    include: snr >= 1
    sentence: Images with more signal than noise
annotations:
  table: annotations.csv
  labels:
    lesion: {match: [GTV links/rechts]}
    uterus: {match: [Gebärmutter o. Endometrium]}
  consensus: majority
"""


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(buffer.getvalue(), encoding="utf-8")
    return path


def write_sites(path: Path) -> Path:
    """The trial's code of each centre by the name its scanner writes."""
    return write_table(path, ("InstitutionName", "site"), ((c.institution, c.site) for c in CENTRES))


def write_clinical(path: Path, patients: Sequence[Patient]) -> Path:
    """One row a visit, with remarks that name people, and one row of a patient whose images never came."""
    header = ("patient_id", "visit", "site", "age", "sex", "orads_score", "ca125", "comment")
    rows: list[Sequence[object]] = [_clinical_row(patient, visit) for patient in patients for visit in patient.visits]
    rows.append(("K01-000000", 1, "S01", 57, "F", 3, 41.5, "Bilder folgen, Fr. Quendelberg"))
    return write_table(path, header, rows)


def write_pathology(path: Path, patients: Sequence[Patient]) -> Path:
    """One row a patient who was operated on, as a laboratory's system gives it out: a Parquet file."""
    operated = [p for p in patients if p.score > 2]
    table = pa.table(
        {
            "patient": [p.id for p in operated],
            "histology": ["m" if p.score > 4 else "b" for p in operated],
            "size_mm": [-99.0 if p.score == 3 else round(2 * p.lesion_radius, 1) for p in operated],
            "surgery": [p.visits[0].day + timedelta(days=21) for p in operated],
            "pathologist": [p.centre.physician for p in operated],
        }
    )
    pq.write_table(table, path)
    return path


def _clinical_row(patient: Patient, visit: Visit) -> Sequence[object]:
    referrer = patient.centre.referrer.replace("^", " ").strip()
    remark = COMMENTS[patient.centre.vendor].format(
        family=patient.family, phone=patient.phone, street=patient.street, referrer=referrer
    )
    age, site = patient.age_at(visit), patient.centre.site
    return patient.id, visit.number, site, age, "F", patient.score, visit.ca125, remark


def lesion_mask(phantom: Phantom, grid: Grid) -> NDArray[np.uint8]:
    """The lesion on a grid: 1 inside, in the array order of :meth:`Grid.nifti_affine`."""
    return grid.to_nifti((phantom.labels(grid.points()) == LESION).astype(np.uint8))


def write_mask(path: Path, phantom: Phantom, grid: Grid) -> Path:
    """The lesion as the reader's program saves it: a NIfTI on the grid of the image it was drawn on."""
    affine = grid.nifti_affine()
    image = nib.Nifti1Image(lesion_mask(phantom, grid), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    return path
