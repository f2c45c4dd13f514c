"""Makes the demonstration trial: DICOM of three centres, tables, masks, a configuration, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from . import annotated, messy
from .clinical import CONFIGURATION, write_clinical, write_pathology, write_sites, write_table
from .objects import Study
from .people import Patient, make_patient
from .series import Expected
from .studies import Stored, stored_study

PLACE = ("source", "path_prefix", "series_uid", "manufacturer", "n_files", "n_stacks_expected")
ATTRIBUTES = (
    "sequence", "plane", "dim", "technique", "fatsat", "dixon", "derived", "part", "echo_index", "flip_index", "agent",
    "agent_name", "phase_index", "phase_time_s", "phase_time_source", "bvalues", "bodypart", "laterality", "kernel",
    "tracer", "recon",
)  # fmt: skip
TRUTH_COLUMNS = (
    *PLACE, "stack_key", "n_in_stack", "modality", "acquisition", "decision", *ATTRIBUTES, "sound", "defect", "note"
)  # fmt: skip


@dataclass(frozen=True)
class DemoTrial:
    """What :func:`make_trial` wrote.

    ``truth`` has one row an expected stack, ``drawn`` one a region that was annotated and what it measures: voxels, mm³
    or mm. ``path_prefix`` is the folder of its series, relative to the trial's
    folder (an archive counts as a folder); ``a|b`` in a cell means that either is right, ``*`` that it is not judged.
    """

    sources: tuple[Path, ...]
    configuration: Path
    clinical: Path
    annotations: Path
    truth: Path
    drawn: Path


def make_trial(folder: Path, *, patients: int = 6, seed: int = 0) -> DemoTrial:
    """Write a multi-centre pelvic MR trial into ``folder``, which is made if it is not there.

    The first patient comes twice; the first six each have their own way of delivery and their own faults. The same
    seed gives the same bytes. Files of an earlier trial in the folder are overwritten, others are left alone.
    Raises ``ValueError`` if ``patients`` is less than 1.

    ::

        folder/
        ├── trial.yaml  sites.csv  clinical.csv  pathology.parquet  annotations.csv  truth.csv  drawn.csv
        ├── incoming/                 what the centres sent
        └── annotations/              the readers' masks
    """
    if patients < 1:
        raise ValueError(f"a trial needs at least one patient, not {patients}: ask for 1 or more")
    source = folder / "incoming"
    source.mkdir(parents=True, exist_ok=True)
    people = people_of(patients, seed)
    truth: list[Sequence[object]] = []
    drawn: list[annotated.Annotated] = []
    (folder / "annotations").mkdir(exist_ok=True)
    for patient in people:
        studies = [(Study(patient, visit, seed), stored_study(patient, visit, seed)) for visit in patient.visits]
        for study, series in studies:
            drawn.append(annotated.annotate(folder, study, series))
            series += drawn[-1].objects
        delivery = messy.deliver(patient, studies)
        messy.write(delivery, source)
        for study, series in studies:
            truth += _truth_rows(study, series, delivery.folders)
    configuration = folder / "trial.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    write_sites(folder / "sites.csv")
    write_pathology(folder / "pathology.parquet", people)
    return DemoTrial(
        sources=(source,),
        configuration=configuration,
        clinical=write_clinical(folder / "clinical.csv", people),
        annotations=write_table(folder / "annotations.csv", annotated.ROWS, annotated.merged(drawn, "rows")),
        truth=write_table(folder / "truth.csv", TRUTH_COLUMNS, truth),
        drawn=write_table(folder / "drawn.csv", annotated.TRUTH, annotated.merged(drawn, "truth")),
    )


def people_of(patients: int = 6, seed: int = 0) -> list[Patient]:
    """The invented patients of the trial of a seed: what must not be found in anything released."""
    return [make_patient(index, seed) for index in range(patients)]


def _truth_rows(study: Study, series: list[Stored], folders: dict[str, str]) -> Iterator[Sequence[object]]:
    """The rows of one visit, in the order of :data:`TRUTH_COLUMNS`."""
    for stored in series:
        for expected, count in stored.stacks:
            cells = {f.name: getattr(expected, f.name) for f in fields(Expected)} | {
                "source": "demo",
                "path_prefix": f"incoming/{folders[stored.uid]}",
                "series_uid": stored.uid,
                "manufacturer": stored.manufacturer,
                "n_files": len(stored.files) * stored.copies,
                "n_stacks_expected": len(stored.stacks),
                "n_in_stack": count,
                "modality": stored.modality,
                "note": stored.note,
            }
            cells |= _same_for_all(study, expected)
            yield [cells.get(column, "") for column in TRUTH_COLUMNS]


def _same_for_all(study: Study, expected: Expected) -> dict[str, str]:
    """The attributes that follow from the others: a pelvic MR trial with one agent."""
    if expected.sequence in ("secondary", "*"):
        judged = dict.fromkeys(("agent_name", "bodypart", "laterality", "kernel", "tracer", "recon"), "*")
    else:
        agent = "gadolinium" if expected.agent == "with" else "none|unknown"
        judged = {
            "agent_name": agent,
            "bodypart": "pelvis",
            **dict.fromkeys(("laterality", "kernel", "tracer", "recon"), "none"),
        }
    group = f"p{study.patient.index}v{study.visit.number}-{expected.acquisition}" if expected.acquisition else ""
    return judged | {"acquisition": group}
