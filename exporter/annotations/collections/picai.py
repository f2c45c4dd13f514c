"""PI-CAI: lesions of the prostate as NIfTI label maps on the axial T2w, named after patient and study.

``<patient_id>_<study_id>.nii.gz`` below ``csPCa_lesion_delineations/``: those in ``human_expert/`` hold the ISUP grade
of each lesion as the value of its voxels (2 to 5), those in ``AI/`` hold 1 for "ISUP 2 or more".
``human_expert/original/`` lies on the grid that it was drawn on, ``human_expert/resampled/`` on that of the T2w: only
the latter can be put on an image. A map without a voxel says that no clinically significant lesion was found; most
cases have one. ``anatomical_delineations/`` holds the whole gland (1) and the zones (1 peripheral, 2 transition), by
algorithms.

Source: github.com/DIAGNijmegen/picai_labels, README ("Label Mapping") and the files themselves; Saha, Bosma, Twilt et
al., Lancet Oncol 25:879 (2024), doi:10.1016/S1470-2045(24)00220-1. The clinical table that comes with them
(``clinical_information/marksheet.csv``) is an ordinary one: ``trialbids init --like picai`` writes its lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

NAME = re.compile(r"(?P<patient>[0-9A-Za-z-]+)_(?P<study>[0-9A-Za-z-]+)\.nii(\.gz)?")
AI_DERIVED = 1
LESION = "lesion"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One label map and whose it is, by the ids of the collection (private)."""

    file: Path
    patient: str
    study: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value of a label map stands for: a label, and the ISUP grade of a lesion where it is one."""

    label: str
    grade: int | None = None


LESIONS: Mapping[int, Meaning] = MappingProxyType(
    {AI_DERIVED: Meaning(LESION), **{grade: Meaning(LESION, grade) for grade in range(2, 6)}}
)
GLAND: Mapping[int, Meaning] = MappingProxyType({1: Meaning("prostate")})
ZONES: Mapping[int, Meaning] = MappingProxyType({1: Meaning("peripheralzone"), 2: Meaning("transitionzone")})
BY_FOLDER: Mapping[str, Mapping[int, Meaning]] = MappingProxyType({"whole_gland": GLAND, "zonal_pz_tz": ZONES})
"""Folders of the collection whose maps hold no lesions."""


def list_cases(path: Path) -> tuple[tuple[CaseFile, ...], tuple[Path, ...]]:
    """One label map, or all below a folder by name; and the NIfTI files that are not named as the collection does."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.name.endswith((".nii", ".nii.gz"))]
    cases, strange = [], []
    for file in sorted(files):
        named = NAME.fullmatch(file.name)
        if named:
            cases.append(CaseFile(file, named["patient"], named["study"]))
        else:
            strange.append(file)
    return tuple(cases), tuple(strange)


def meanings_in(file: Path, values: Sequence[int]) -> Mapping[int, Meaning]:
    """What each value of a map other than 0 stands for; the folder tells which kind of map it is.

    Raises ``ValueError`` where a value is none of the collection's.

    >>> meanings_in(Path("human_expert/resampled/10000_1000000.nii.gz"), [3])
    {3: Meaning(label='lesion', grade=3)}
    """
    known = next((BY_FOLDER[part] for part in file.parts if part in BY_FOLDER), LESIONS)
    wrong = next((value for value in values if value not in known), None)
    if wrong is not None:
        raise ValueError(f"holds the value {wrong}; maps of this kind hold {', '.join(map(str, known))}")
    return {value: known[value] for value in values}


def is_automatic(file: Path) -> bool:
    """Whether an algorithm made a map: it lies below a folder ``AI``."""
    return "AI" in file.parts


def algorithm_of(file: Path) -> str:
    """The collection's name of who made a map: the folder below ``AI``, or the human experts."""
    parts = file.parts
    if not is_automatic(file):
        return "PI-CAI human expert"
    below = parts[parts.index("AI") + 1 : -1]
    return f"PI-CAI AI {below[0]}" if below else "PI-CAI AI"
