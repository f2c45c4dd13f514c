"""Which patient was annotated how, and what the masks must measure: every form that readers send, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import drawings, protocol
from .clinical import lesion_mask, write_mask
from .geometry import Grid
from .objects import Study
from .phantom import ANATOMY, LESION, Phantom
from .studies import NOT_AN_IMAGE, Stored

ROWS = ("file", "series_uid", "label", "reader", "method", "x1", "y1", "z1", "x2", "y2", "z2")
TRUTH = ("patient_id", "visit", "form", "series_uid", "label", "reader", "measure", "value")
BLADDER, UTERUS, ENDOMETRIUM = ANATOMY[8], ANATOMY[9], ANATOMY[10]
GRIDS = {"t2sag": protocol.T2_SAG, "t2ax": protocol.T2_AX}
SECOND_LOOK = 1.15
"""The second reader draws lesions this much wider."""


@dataclass(frozen=True)
class Annotated:
    """What one visit's readers made: objects that lie among the images, rows of the table, and the truth about both."""

    objects: tuple[Stored, ...]
    rows: tuple[Sequence[object], ...]
    truth: tuple[Sequence[object], ...]


def annotate(folder: Path, study: Study, series: Sequence[Stored]) -> Annotated:
    """Draw the lesion of a visit in the forms that belong to its patient; masks are written below ``folder``."""
    rows, truth = [], []
    for form in ("nifti", *FILES.get(study.patient.index, ())):
        row, known = _file(folder, study, form)
        rows.append(row)
        truth.append(known)
    objects: list[Stored] = []
    if study.visit.number == 1:
        for kind, role in OBJECTS.get(study.patient.index, ()):
            images = next(s for s in series if s.role == role).files
            stored, known_of = _object(study, kind, role, images)
            objects.append(stored)
            truth += known_of
    box, known = _box(study)
    return Annotated(tuple(objects), (*rows, box), (*truth, known))


FILES: Mapping[int, tuple[str, ...]] = {4: ("nrrd",), 5: ("metaimage",)}
OBJECTS: Mapping[int, tuple[tuple[str, str], ...]] = {
    0: (("BINARY", "t2sag"),),
    1: (("RTSTRUCT", "t2ax"),),
    2: (("LABELMAP", "t2sag"),),
    3: (("FRACTIONAL", "t2ax"),),
    5: (("SR", "t2sag"),),
}
"""By the number of the patient (from 0): files beside the NIfTI mask, and objects with the series they are drawn on."""

ENDINGS = {"nifti": "nii.gz", "nrrd": "nrrd", "metaimage": "mha"}


def _file(folder: Path, study: Study, form: str) -> tuple[Sequence[object], Sequence[object]]:
    """A mask as a file on the sagittal T2: the row of the table, and the truth."""
    patient, visit = study.patient, study.visit
    second = form != "nifti"
    phantom = _wider(patient.phantom(visit)) if second else patient.phantom(visit)
    reader = _second() if second else patient.centre.reader
    name = f"annotations/{patient.id}_V{visit.number}_lesion{'2' if second else ''}.{ENDINGS[form]}"
    if second:
        _write_in_dicom_order(folder / name, phantom, protocol.T2_SAG)
    else:
        write_mask(folder / name, phantom, protocol.T2_SAG)
    series_uid = study.uid("series", "t2sag")
    voxels = int(lesion_mask(phantom, protocol.T2_SAG).sum())
    row = name, series_uid, "lesion", reader, "manual", *[""] * 6
    return row, (patient.id, visit.number, form, series_uid, "lesion", reader, "voxels", voxels)


def _write_in_dicom_order(path: Path, phantom: Phantom, grid: Grid) -> None:
    """A mask as a viewer saves it that keeps the slices as DICOM stores them: rows from top to bottom, LPS."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(_inside(phantom, grid, LESION).astype(np.uint8))
    image.SetOrigin([float(v) for v in grid.position(0)])
    image.SetSpacing((grid.pixel, grid.pixel, grid.gap))
    image.SetDirection(np.stack([grid.row, grid.column, grid.normal], axis=1).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)


def _object(study: Study, kind: str, role: str, images: tuple[bytes, ...]) -> tuple[Stored, list[Sequence[object]]]:
    """An object that lies among the images, and the truth of what it holds."""
    uid, number, grid = str(study.uid("drawn", kind)), 950, GRIDS[role]
    known: list[tuple[str, str, object]] = []
    if kind == "RTSTRUCT":
        drawn = _structures(study)
        data, modality = drawings.structure_set(study, uid, number, images, grid, drawn), "RTSTRUCT"
        known = [(label, "mm3", round(drawings.volume(s, grid), 2)) for s in drawn if (label := LABELS.get(s.name, ""))]
    elif kind == "SR":
        data, modality = drawings.report(study, uid, number, images[0], _longest(study)), "SR"
        known = [("lesion", "mm", _longest(study))]
    else:
        regions = _regions(study, kind, grid)
        data, modality = drawings.segmentation(study, uid, number, images, kind, regions), "SEG"
        known = [(label, "voxels", round(float(part.sum()), 2)) for label, part in regions.items()]
    series_uid, patient = study.uid("series", role), study.patient
    truth: list[Sequence[object]] = [
        (patient.id, study.visit.number, kind.lower(), series_uid, label, _second(), measure, value)
        for label, measure, value in known
    ]
    stored = Stored(
        role=kind.lower(), text=kind.capitalize(), uid=uid, number=number, modality=modality,
        manufacturer="Demo PACS", files=(data,), note="not an image of the patient",
        stacks=((replace(NOT_AN_IMAGE, decision="exclude|quarantine", sequence="*"), 1),),
    )  # fmt: skip
    return stored, truth


LABELS = {"GTV links/rechts": "lesion", "Gebärmutter o. Endometrium": "uterus"}
"""The label of the trial for each name of a structure set; a name that is not here has none."""


def _structures(study: Study) -> tuple[drawings.Structure, ...]:
    """The lesion, the uterus with a hole, and something that the trial's dictionary does not hold."""
    lesion = _wider(study.patient.phantom(study.visit)).lesion
    return (
        drawings.Structure("GTV links/rechts", lesion),
        drawings.Structure("Gebärmutter o. Endometrium", UTERUS, ENDOMETRIUM),
        drawings.Structure(f"ROI {study.patient.family}", BLADDER),
    )


def _regions(study: Study, kind: str, grid: Grid) -> dict[str, NDArray[np.float64 | np.uint8]]:
    """What a segmentation of each kind holds: arrays (slices, rows, columns)."""
    phantom = _wider(study.patient.phantom(study.visit))
    lesion = _inside(phantom, grid, LESION)
    if kind == "FRACTIONAL":
        inner = _inside(study.patient.phantom(study.visit), grid, LESION)
        return {"lesion": (lesion.astype(np.float64) + inner) / 2}
    organs = {"bladder": BLADDER.tissue, "uterus": UTERUS.tissue} if kind == "LABELMAP" else {}
    others = {label: _inside(phantom, grid, tissue).astype(np.uint8) for label, tissue in organs.items()}
    return {"lesion": lesion.astype(np.uint8), **others}


def _box(study: Study) -> tuple[Sequence[object], Sequence[object]]:
    """The corners of the lesion (LPS mm), as a row of the table of boxes."""
    lesion = study.patient.phantom(study.visit).lesion
    low, high = (np.round(np.add(lesion.centre, np.multiply(s, lesion.half_axes)), 3) for s in (-1, 1))
    series_uid, patient = study.uid("series", "t2sag"), study.patient
    row = "", series_uid, "lesion", patient.centre.reader, "manual", *low.tolist(), *high.tolist()
    size = round(float(np.prod(high - low)), 2)
    return row, (
        patient.id, study.visit.number, "box", series_uid, "lesion", patient.centre.reader, "mm3", size
    )  # fmt: skip


def _inside(phantom: Phantom, grid: Grid, tissue: int) -> NDArray[np.bool_]:
    return phantom.labels(grid.points()) == tissue


def _wider(phantom: Phantom) -> Phantom:
    """The lesion as the second reader sees it."""
    return replace(phantom, lesion_radius=phantom.lesion_radius * SECOND_LOOK)


def _longest(study: Study) -> float:
    return round(2 * study.patient.phantom(study.visit).lesion_radius, 1)


def _second() -> str:
    """The second reader as tables write her: given name first."""
    family, given, *_ = drawings.SECOND_READER.split("^")
    return f"{given} {family}"


def merged(parts: Sequence[Annotated], name: str) -> Iterator[Sequence[object]]:
    """The rows of one kind of all visits."""
    return (row for part in parts for row in getattr(part, name))
