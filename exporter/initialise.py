"""``trialbids init``: look at a source and write a commented ``trial.yaml``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from .engine import Engine
from .errors import UsageError
from .inventory.instance import Instance
from .inventory.run import Inventory, scan
from .progress import Progress

TEMPLATE = """\
# trialbids: what is exported, from where, to where. Paths are relative to this file.
# Seen here: {patients} patient ids, {studies} studies, {series} series, {instances} instances
# of {modalities}, from {institutions} institution names; {unread} files were not read as DICOM.

trial: {trial}          # the name of the dataset: letters, digits, spaces, - and _
sources:                # folders, files or archives; DICOM is found by content, whatever it is called
{sources}
output: bids            # the BIDS tree; a new or empty folder
work: work              # private: the secret key, who is who, plan.tsv. Never share it, never put it inside the output

# Who is a subject: a tag, a pattern on the path below the source, or a table of your own.
subject: {{tag: {subject}}}{subject_note}
# subject: {{path: 'site\\d+/(?P<subject>[^/]+)/'}}
# subject: {{table: subjects.csv, by: PatientID, column: label}}

# What is a session: the order of the study dates, a tag, a pattern, or a table.
session: {{order: StudyDate}}
# session: {{tag: ClinicalTrialTimePointID}}

# Where it was acquired. Without a line here the site is a keyed label of the institution or device.
# site: {{table: sites.csv, by: InstitutionName, column: site}}     # the labels are yours: letters and digits
# site: {{value: S01}}
{site}
protocol: none
# rules: [site-rules.yaml]      # rules of your own for sequence names, over those that come with trialbids
# keep: [localizer]             # excluded kinds that you want back

# A clinical table, joined by the subject's id. Only the columns named here leave, as numbers or as listed levels.
# clinical:
#   table: clinical.csv
#   subject: patient_id
#   visit: visit
#   columns: {{age: number, sex: ["F", "M"], score: number}}

# Masks: a table with the columns file, series_uid, label, reader, method.
# annotations: {{table: annotations.csv}}

# De-identification is always on. Each of these lets one more thing leave, or one fewer (docs/deidentification.md):
# keep_dates: true             # dates as they are; otherwise moved by a secret number of days for each subject
# keep_times: true             # times of day as they are; otherwise counted from the session's first image
# device: true                 # serial number and station name
# weight: true                 # in whole kilograms
# faces: allow                 # images with a head in view; otherwise they stay back
# deface: [pydeface, "{{input}}", --outfile, "{{output}}", --force]
# sourcedata: dicom            # de-identified DICOM beside the NIfTI
# suppress: [age]              # columns left out of the participants: site, sex, age
# generalise_age: 5            # ages in bands of 5 or 10 years
"""


def write_trial(sources: Sequence[Path], folder: Path, engine: Engine, progress: Progress) -> Path:
    """Write ``trial.yaml`` into ``folder`` and return its path.

    Raises ``UsageError`` where there is one already or the sources hold no DICOM.
    """
    path = folder / "trial.yaml"
    if path.exists():
        raise UsageError(f"{path}: is there already; change it, or give another folder")
    with tempfile.TemporaryDirectory(prefix="trialbids-init-") as store:
        inventory = scan(sources, Path(store), engine=engine, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(_render(sources, inventory), encoding="utf-8")
    return path


def _render(sources: Sequence[Path], inventory: Inventory) -> str:
    rows = inventory.instances
    subject, note = _subject(rows)
    institutions = _distinct(rows, "InstitutionName")
    return TEMPLATE.format(
        trial="trial",
        sources="\n".join(f"  - {yaml.safe_dump(str(s.absolute()), width=10_000).splitlines()[0]}" for s in sources),
        patients=_distinct(rows, "PatientID"),
        studies=_distinct(rows, "StudyInstanceUID"),
        series=_distinct(rows, "SeriesInstanceUID"),
        instances=len(rows),
        institutions=institutions,
        modalities=", ".join(sorted({i.Modality for i in rows if i.Modality})) or "no modality",
        unread=len(inventory.unreadable),
        subject=subject,
        subject_note=note,
        site="site: {tag: ClinicalTrialSiteID}\n" if _always(rows, "ClinicalTrialSiteID") else "",
    )


def _subject(rows: Sequence[Instance]) -> tuple[str, str]:
    """The tag that names a subject best, and a remark where it does not always."""
    if _always(rows, "ClinicalTrialSubjectID"):
        return "ClinicalTrialSubjectID", "     # every instance has one"
    empty = len({i.StudyInstanceUID for i in rows if not i.PatientID})
    return "PatientID", f"     # empty in {empty} studies: each of these becomes a subject" if empty else ""


def _distinct(rows: Sequence[Instance], keyword: str) -> int:
    return len({getattr(i, keyword) for i in rows} - {""})


def _always(rows: Sequence[Instance], keyword: str) -> bool:
    return all(getattr(i, keyword) for i in rows)
