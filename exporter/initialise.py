"""``trialbids init``: look at a source and write a commented ``trial.yaml``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from .engine import Engine
from .errors import UsageError
from .inventory.instance import Instance
from .inventory.run import Inventory, scan
from .likes import LIKES, PICTURES, lines_like
from .likes.pictures import pictures_in, wrap_pictures
from .progress import Progress

HEAD = """\
# trialbids: what is exported, from where, to where. Paths are relative to this file.
# Seen here: {patients} patient ids, {studies} studies, {series} series, {instances} instances
# of {modalities}, from {institutions} institution names; {unread} files were not read as DICOM.

trial: {trial}          # the name of the dataset: letters, digits, spaces, - and _
sources:                # folders, files or archives; DICOM is found by content, whatever it is called
{sources}
output: bids            # the BIDS tree; a new or empty folder
work: work              # private: the secret key, who is who, plan.tsv. Never share it, never put it inside the output
"""

BODY = """\
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
protocol: none                  # orads-mri, pi-rads-2.1, pi-rads-2.1-biparametric, or a YAML file of your own
# qc: {{tolerances: {{G05: 0.1}}}}  # limits of checks that this trial wants otherwise; trialbids qc checks lists them
# rules: [site-rules.yaml]      # rules of your own for sequence names, over those that come with trialbids
# keep: [localizer]             # kinds that are left out and that you want back: localizer, calibration, derived

# Clinical tables, joined by the subject's id. Only the columns named here leave, as numbers or as listed levels.
# clinical:
#   table: clinical.csv         # or .tsv, .xlsx (sheet: …), .parquet
#   subject: patient_id
#   visit: visit
#   columns: {{age: number, sex: ["F", "M"], score: number}}

# With a schedule, a visit is found by its name and day, counted from a column of type date or the first session.
# visits: {{V1: {{day: 0, window: 7}}, V2: {{day: 90, window: 14}}}}
# baseline: randomised          # a column of type date among those above

# Who is in, in this order; trialbids flow draws what becomes of everybody (docs/howto-criteria.md).
# criteria:
#   - {{id: adult, level: subject, include: age >= 18, sentence: Participants of 18 years and older}}
#   - {{id: complete, level: session, include: "has(T2w) and has(DWI)", sentence: Visits with T2 and diffusion}}

# What people drew: SEG, RTSTRUCT and SR objects among the sources are read by themselves. A table lists masks (columns
# file, series_uid, label, reader, method), boxes and points. trialbids init --like NAME knows some public collections.
# annotations: {{table: annotations.csv}}
"""

TAIL = """\

# De-identification is always on. Each of these lets one more thing leave, or one fewer (docs/deidentification.md):
# keep_dates: true             # dates as they are; otherwise moved by a secret number of days for each subject
# keep_times: true             # times of day as they are; otherwise counted from the session's first image
# device: true                 # serial number and station name
# weight: true                 # in whole kilograms
# faces: allow                 # images with a head in view; otherwise they stay back
# deface: [pydeface, "{input}", --outfile, "{output}", --force]
# sourcedata: dicom            # de-identified DICOM beside the NIfTI
# suppress: [age]              # columns left out of the participants: site, sex, age
# generalise_age: 5            # ages in bands of 5 or 10 years
"""


def write_trial(
    sources: Sequence[Path],
    folder: Path,
    engine: Engine,
    progress: Progress,
    like: str | None = None,
    annotations: Path | None = None,
) -> Path:
    """Write ``trial.yaml`` into ``folder`` and return its path.

    With ``like`` it is that of a trial in the form of a known collection, whose tables or masks lie at ``annotations``
    or among the sources; PNG and JPEG radiographs become DICOM objects in ``folder``. Raises ``UsageError`` where there
    is a ``trial.yaml`` already, the sources hold no DICOM, or nothing of the collection's form is found.
    """
    path = folder / "trial.yaml"
    if path.exists():
        raise UsageError(f"{path}: is there already; change it, or give another folder")
    if like is not None and like not in LIKES:
        raise UsageError(f"--like: '{like}' is no known collection; they are {', '.join(LIKES)}")
    if annotations is not None and like is None:
        raise UsageError(f"{annotations}: say which collection this is like: --like {', '.join(LIKES)}")
    objects = _wrapped(sources, folder / "dicom", progress) if like in PICTURES else ()
    with tempfile.TemporaryDirectory(prefix="trialbids-init-") as store:
        inventory = scan(objects or sources, Path(store), engine=engine, progress=progress)
    places = [annotations] if annotations is not None else sources
    text = _render(objects or sources, inventory, like, places)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _wrapped(sources: Sequence[Path], folder: Path, progress: Progress) -> Sequence[Path]:
    """The folder with the sources' PNG and JPEG files as DICOM objects; none where there are no such files.

    Raises ``UsageError`` where one is no radiograph; then nothing stays.
    """
    found = {source: pictures_in(source) for source in sources if source.is_dir()}
    if not any(found.values()):
        return ()
    if folder.exists():
        raise UsageError(f"{folder}: is there already, and the pictures would be written there as DICOM; remove it")
    progress.start("wrapping pictures", None)
    try:
        for source, files in found.items():
            wrap_pictures(source, files, folder)
    except UsageError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress.done()
    return (folder,)


def _render(sources: Sequence[Path], inventory: Inventory, like: str | None, places: Sequence[Path]) -> str:
    rows = inventory.instances
    head = HEAD.format(
        trial=like or "trial",
        sources="\n".join(f"  - {yaml.safe_dump(str(s.absolute()), width=10_000).splitlines()[0]}" for s in sources),
        patients=_distinct(rows, "PatientID"),
        studies=_distinct(rows, "StudyInstanceUID"),
        series=_distinct(rows, "SeriesInstanceUID"),
        instances=len(rows),
        institutions=_distinct(rows, "InstitutionName"),
        modalities=", ".join(sorted({i.Modality for i in rows if i.Modality})) or "no modality",
        unread=len(inventory.unreadable),
    )
    if like is not None:
        body = lines_like(like, places, {i.PatientID for i in rows if i.PatientID})
    else:
        subject, note = _subject(rows)
        site = "site: {tag: ClinicalTrialSiteID}\n" if _always(rows, "ClinicalTrialSiteID") else ""
        body = BODY.format(subject=subject, subject_note=note, site=site)
    return f"{head}\n{body}{TAIL}"


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
