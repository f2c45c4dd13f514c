"""``trialbids init --like NAME``: the lines of ``trial.yaml`` for trials that have the form of a known collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from ..clinical.collections.chexpert import OBSERVATIONS, column_of
from ..errors import UsageError
from .spreadsheet import flow, propose_table

TABLES = (".xlsx", ".xls", ".ods", ".csv", ".tsv")
PICAI_MASKS = "csPCa_lesion_delineations/human_expert/resampled"
MARKSHEET = "marksheet.csv"
PICAI_CLINICAL = """\
clinical:
  table: {table}
  subject: patient_id
  date: mri_date
  window: 1              # days; the same day in the collection itself
  columns:
    patient_age: number
    psa: {{type: number, unit: ng/mL}}
    psad: {{type: number, unit: ng/mL2}}
    prostate_volume: {{type: number, unit: mL}}
    histopath_type: [MRBx, SysBx, SysBx+MRBx, RP]
{graded}"""
PICAI_GRADED = """\
    case_ISUP: ["0", "1", "2", "3", "4", "5"]
    case_csPCa: ["YES", "NO"]
    center: [RUMC, ZGT, PCNN]
"""


def lines_like(name: str, places: Sequence[Path], patients: Collection[str]) -> str:
    """From ``subject:`` to the annotations: the lines of a trial like the collection ``name``.

    ``places`` are where its tables or masks are looked for; ``patients`` are the PatientIDs that were seen. Raises
    ``UsageError`` where there are none of its form.
    """
    missing = next((place for place in places if not place.exists()), None)
    if missing is not None:
        raise UsageError(f"{missing}: is not there; give what --like {name} reads with --annotations")
    return Template(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")).substitute(
        LIKES[name](places, patients)
    )


def _lidc(places: Sequence[Path], patients: Collection[str]) -> Mapping[str, str]:
    del patients
    place = next((p for p in places if p.is_file() or any(p.rglob("*.xml"))), None)
    if place is None:
        raise UsageError(f"{places[0]}: holds no XML file; give the folder of LIDC's annotations with --annotations")
    return {"annotations": _path(place)}


def _picai(places: Sequence[Path], patients: Collection[str]) -> Mapping[str, str]:
    del patients
    root = places[0]
    masks = root / PICAI_MASKS if (root / PICAI_MASKS).is_dir() else root
    if masks.is_dir() and not any(masks.rglob("*_*.nii*")):
        raise UsageError(f"{root}: holds no <patient_id>_<study_id>.nii.gz; give picai_labels with --annotations")
    table = next(iter(sorted(root.rglob(MARKSHEET))), None) if root.is_dir() else None
    if table is None:
        return {"annotations": _path(masks), "clinical": f"# (There is no {MARKSHEET} below {root.name}.)\n"}
    header = table.read_text(encoding="utf-8-sig", errors="replace").partition("\n")[0]
    graded = PICAI_GRADED if "case_ISUP" in header else ""
    return {"annotations": _path(masks), "clinical": PICAI_CLINICAL.format(table=_path(table), graded=graded)}


def _chexpert(places: Sequence[Path], patients: Collection[str]) -> Mapping[str, str]:
    del patients
    words = "[positive, negative, uncertain]"
    observations = "\n".join(f"    {column_of(name)}: {words}" for name in OBSERVATIONS)
    return {"annotations": _path(_file(places, "train.csv")), "observations": observations}


def _rsna(places: Sequence[Path], patients: Collection[str]) -> Mapping[str, str]:
    del patients
    return {"annotations": _path(_file(places, "stage_2_train_labels.csv"))}


def _tcia(places: Sequence[Path], patients: Collection[str]) -> Mapping[str, str]:
    found = [p for place in places for p in ([place] if place.is_file() else sorted(place.rglob("*")))]
    tables = [p for p in found if p.suffix.casefold() in TABLES]
    if len(tables) != 1:
        what = "no spreadsheet" if not tables else f"{len(tables)} spreadsheets"
        raise UsageError(f"{places[0]}: {what} found; give the one with the clinical data with --annotations")
    return {"clinical": propose_table(tables[0].absolute(), patients)}


def _file(places: Sequence[Path], name: str) -> Path:
    """The file itself, or the one of this name below a folder."""
    for place in places:
        found = place if place.is_file() else next(iter(sorted(place.rglob(name))), None)
        if found is not None:
            return found
    raise UsageError(f"{places[0]}: holds no {name}; give it with --annotations")


def _path(path: Path) -> str:
    return flow(str(path.absolute()))


PICTURES = frozenset({"chexpert", "rsna"})
"""Collections whose images are also published as PNG or JPEG."""

LIKES: Mapping[str, Callable[[Sequence[Path], Collection[str]], Mapping[str, str]]] = {
    "lidc": _lidc, "picai": _picai, "chexpert": _chexpert, "rsna": _rsna, "tcia": _tcia,
}  # fmt: skip
"""By name: finds the collection's files and fills in the places of its template."""
