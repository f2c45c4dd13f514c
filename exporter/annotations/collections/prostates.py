"""PI-CAI's label maps as regions on the axial T2w of their patient and study; a lesion is what hangs together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialbids.mappings.imageterms import ImageTerm, read_term
from trialbids.mappings.labels import Labels
from trialbids.mappings.scores import ISUP

from ...errors import UsageError
from ...pipeline import Plan
from ...plan.visits import Visit
from ..checks import part_sizes
from ..files import state_of
from ..grid import Grid, MaskRefused
from ..readers import Readers
from ..region import Fault, ImageWords, Region, Target
from ..volume import VolumeShape, voxels_in
from .drawn import Drawn, labelled, together
from .picai import LESION, CaseFile, algorithm_of, is_automatic, list_cases, meanings_in

IMAGE: ImageTerm = read_term(["T2w", "ax"], {})


@dataclass(frozen=True, slots=True)
class _Case:
    """A label map with the session that it is for."""

    case: CaseFile
    session: str


class _Unplaced(Exception):
    """A label map whose session cannot be told."""


def draw_picai(path: Path, plan: Plan, labels: Labels, readers: Readers) -> Drawn:
    """The regions of one label map, or of all below a folder.

    Every part of a grade that hangs together (26 neighbours, as in the challenge's own evaluation) is a lesion of its
    own, numbered within its map. A map that cannot be used is a fault; those that say "no lesion" are told together.
    """
    cases, strange = list_cases(path)
    if not cases and not strange:
        raise UsageError(f"{path}: holds no NIfTI file of PI-CAI; give the folder that does")
    faults = [Fault("F03", "", f"{file.name}: is not named <patient>_<study>.nii.gz") for file in strange]
    empty: list[str] = []
    found: list[Drawn] = []
    sessions = _Sessions(plan)
    for case in cases:
        try:
            drawn = Drawn(tuple(_regions(_Case(case, sessions.of(case)), labels, readers)), ())
        except (_Unplaced, ValueError) as error:
            faults.append(Fault("A01", "", f"{case.file.name}: {error}"))
        except MaskRefused as refusal:
            faults.append(Fault(refusal.check, "", f"{case.file.name}: {refusal}"))
        else:
            found.append(drawn)
            empty += [] if drawn.drawings else [case.file.name]
    if empty:
        faults.append(Fault("A02", "", f"no lesion is drawn in {', '.join(empty)}", "warning"))
    return together([*found, Drawn((), tuple(faults))])


def _regions(placed: _Case, labels: Labels, readers: Readers) -> Iterator[Region]:
    file = placed.case.file
    voxels = voxels_in(file)
    meanings = meanings_in(file, _values(voxels))
    common: dict[str, Any] = {
        "reader": readers.code(algorithm_of(file)),
        "method": "automatic" if is_automatic(file) else "manual",
        "state": state_of(file),
        "target": Target(
            words=ImageWords(subject=placed.case.patient, visit=placed.session, term=IMAGE),
            subject=placed.case.patient,
        ),
    }
    number = 0
    for value, meaning in meanings.items():
        for part in range(1, len(part_sizes(voxels == value)) + 1) if meaning.label == LESION else (0,):
            number += 1
            yield Region(
                **common,
                origin=f"{file.name}: value {value}" + (f", part {part}" if part else ""),
                rank=(str(file), number),
                **labelled(labels, meaning.label),
                lesion=number if meaning.label == LESION else None,
                is_own_number=True,
                shape=PartShape(file, value, part) if part else VolumeShape(file, value),
                scores=() if meaning.grade is None else ((ISUP, meaning.grade),),
            )


def _values(voxels: NDArray[np.generic]) -> list[int]:
    """The values of a label map other than 0, ascending. Raises ``MaskRefused`` F03 where they are no whole numbers."""
    found = [float(value) for value in np.unique(voxels[voxels != 0])]
    if not all(value.is_integer() for value in found):
        raise MaskRefused("F03", "the voxels are no whole numbers, so they are no labels")
    return [int(value) for value in found]


class _Sessions:
    """The sessions of a plan by the collection's ids of patient and study."""

    def __init__(self, plan: Plan) -> None:
        self._by_patient: dict[str, set[Visit]] = {}
        self._by_study: dict[tuple[str, str], set[Visit]] = {}
        for planned in plan.planned:
            visit = planned.visit
            names = {
                visit.subject_key.partition("\0")[2],
                *plan.visits.patient_ids.get((visit.subject, visit.session), ()),
            }
            first = planned.harmonised.stack.first
            for name in names:
                self._by_patient.setdefault(name, set()).add(visit)
                for study in (visit.session_key, first.StudyID, first.AccessionNumber):
                    self._by_study.setdefault((name, study), set()).add(visit)

    def of(self, case: CaseFile) -> str:
        """The session of a case: the patient's only one, or the one whose StudyID or AccessionNumber is the study's."""
        visits = self._by_patient.get(case.patient, set())
        if len(visits) > 1:
            visits = self._by_study.get((case.patient, case.study), set())
        if len(visits) != 1:
            what = "no image of this patient" if case.patient not in self._by_patient else "the study cannot be told"
            raise _Unplaced(f"{what}; a study is known by its StudyID or AccessionNumber")
        return next(iter(visits)).session


@dataclass(frozen=True, slots=True)
class PartShape:
    """One of the parts of a label that do not touch; ``part`` counts them from 1 in the order of the image's voxels."""

    file: Path
    value: int
    part: int

    def on(self, grid: Grid) -> NDArray[np.uint8]:
        """As :meth:`..grid.Shape.on`."""
        return (_parts_of(VolumeShape(self.file, self.value).on(grid)) == self.part).astype(np.uint8)


def _parts_of(inside: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The parts of a mask by 26 neighbours, numbered from 1."""
    import SimpleITK as sitk  # takes long to load; only maps with lesions need it

    return sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(inside), True))
