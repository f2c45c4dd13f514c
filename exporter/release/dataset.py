"""The files at the root of the tree: descriptions, participants, sessions, manifest. One pass, after the sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from trialbids.mappings.fields import allow_list
from trialbids.mappings.names import name_rules
from trialbids.mappings.vocabulary import vocabulary

from ..clinical.rows import ClinicalRows
from ..plan.visits import Visit
from ..qc.inspection.estimate import Inspection, percent, rounded
from ..qc.inspection.fate import staying
from ..tables import json_bytes, tsv_bytes, write_atomic
from ..trial import Trial
from .image import SCANS_COLUMNS, Image, manifest_bytes
from .phenotype import dictionary, hide_phenotype
from .said import NOT_SAID, Said

BIDS_VERSION = "1.11.1"
ANNOTATIONS = "derivatives/annotations"
SOURCEDATA = "sourcedata"
PARTS = ("", ANNOTATIONS, SOURCEDATA)
"""Where below the root the files of a session lie, each part below ``sub-…/ses-…`` of its own."""

README = """\
{trial}

Clinical-trial images, exported from DICOM by trialbids {version}.

Names are harmonised: every image's record in a closed vocabulary stands in the columns of scans.tsv and in the key
Harmonised of its JSON. Quality checks and metrics of each image lie beside it in *_qc.json.

Subjects, sessions and UIDs are pseudonyms.
{dates}
{times}
{faces}
{inspection}
How the data were de-identified, and what was not checked, is in curation/certificate.html. What was set aside, and
why, is known to the trial's data manager.
"""
INSPECTED = (
    "A person looked at a random sample of {n} of {images} images. Estimated from it, {rate} % of all are wrong; the "
    "exact upper bound is {most} % with 95 % confidence (curation/inspection.json)."
)
ALL_INSPECTED = "A person looked at all {n} images: {rate} % of them were wrong (curation/inspection.json)."
SOME_DOUBTED = (
    "A person looked at all {n} images: {rate} % of them were wrong, at most {most} % where a doubtful one counts as "
    "wrong (curation/inspection.json)."
)
TAKEN_OUT = "Since then, what was judged wrong was taken out or repaired."
SOME_STAY = (
    "Since then, what was judged wrong was taken out or repaired, but for {kept} that stay by a waiver or could not be "
    "matched to their source."
)
NOT_INSPECTED = "No person has looked at a random sample of the images."


@dataclass(frozen=True, slots=True)
class Person:
    """A participant's line: label, site, and what the header says of sex and age ("n/a" where it does not)."""

    subject: str
    site: str
    sex: str
    age: str


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write a file only where its bytes differ, so that a run that changes nothing touches nothing."""
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)
    return True


def write_description(root: Path, trial: Trial, source: str, inspection: Inspection | None = None) -> None:
    """The files that make the folder a BIDS dataset; ``source`` names the set of source images without revealing it."""
    description = {
        "Name": trial.trial,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [
            {"Name": "trialbids", "Version": version("trialbids")},
            {"Name": "dcm2niix", "Version": version("dcm2niix")},
        ],
        "SourceDatasets": [{"Version": source}],
    }
    write_if_changed(root / "dataset_description.json", json_bytes(description))
    write_if_changed(root / "README", _readme(trial, inspection).encode())
    write_if_changed(root / ".bidsignore", ("\n".join(name_rules().bidsignore) + "\n").encode())
    write_if_changed(root / "code" / "trialbids.json", json_bytes(_public_configuration(trial)))


def _readme(trial: Trial, inspection: Inspection | None) -> str:
    return README.format(
        trial=trial.trial,
        version=version("trialbids"),
        dates="Dates are those of the source."
        if trial.keep_dates
        else "Dates are moved by a secret number of days for each subject.",
        times="Times of day are those of the source."
        if trial.keep_times
        else "Times are counted from the first acquisition of a session, which stands at 00:00:00.",
        faces="Faces were removed by a command of the trial's own where a head is in view."
        if trial.deface
        else "Faces are not removed."
        if trial.faces == "allow"
        else "Images with a head in view are left out.",
        inspection=_inspected(inspection, trial.work),
    )


def _inspected(found: Inspection | None, work: Path) -> str:
    """What people saw in how many images, and whether what they judged wrong is still there."""
    if found is None or found.rate is None:
        return NOT_INSPECTED
    n, images = found.sample.n, found.images
    rate, most = rounded(found.rate).removesuffix(" %"), percent(found.at_most).removesuffix(" %")
    of_all = SOME_DOUBTED if found.sample.unsure else ALL_INSPECTED
    said = (of_all if n == images else INSPECTED).format(n=n, images=images, rate=rate, most=most)
    if not found.sample.wrong:
        return said
    kept = staying(work, date.today())
    return f"{said}\n{SOME_STAY.format(kept=kept) if kept else TAKEN_OUT}"


def write_annotations_description(root: Path, name: str, paths: Iterable[str]) -> None:
    """The derivative dataset's own description, where there are masks at all."""
    if not any(True for _ in paths):
        return
    description = {
        "Name": f"{name}: annotations",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "trialbids", "Version": version("trialbids")}],
        "SourceDatasets": [{"Version": "the raw dataset that this lies in"}],
        "DatasetLinks": {"raw": "../.."},
    }
    write_if_changed(root / ANNOTATIONS / "dataset_description.json", json_bytes(description))
    lines = "\n".join(name_rules().annotations_bidsignore) + "\n"
    write_if_changed(root / ANNOTATIONS / ".bidsignore", lines.encode())


def hide_tables(root: Path) -> None:
    """Take away the tables that speak of all sessions while sessions leave: a tree without them is valid."""
    for name in ("participants.json", "sessions.json", "scans.json", "participants.tsv"):
        (root / name).unlink(missing_ok=True)
    hide_phenotype(root)


def write_participants(root: Path, people: Sequence[Person], clinical: ClinicalRows) -> None:
    """``participants.tsv`` and its dictionary. A clinical column replaces the header's of the same name."""
    columns = [c for c in clinical.columns if any(c in row for row in clinical.participants.values())]
    own = ["site", *(c for c in ("sex", "age") if c not in columns)]
    rows = []
    if not people:
        for name in ("participants.tsv", "participants.json"):
            (root / name).unlink(missing_ok=True)
        return
    for person in sorted(people, key=lambda p: p.subject):
        row = {"participant_id": f"sub-{person.subject}", "site": person.site, "sex": person.sex, "age": person.age}
        values = clinical.participants.get(person.subject, {})
        rows.append(row | {c: values.get(c, "n/a") for c in columns})
    names = ["participant_id", *own, *columns]
    write_if_changed(root / "participants.tsv", tsv_bytes(names, rows, empty="n/a"))
    known = {name: text for name, text in PARTICIPANT_COLUMNS.items() if name in own}
    write_if_changed(root / "participants.json", json_bytes(known | _clinical_dictionary(columns, clinical)))


class Session(Protocol):
    """A released session: its visit, when it began as that leaves, and what the headers say of the participant."""

    @property
    def visit(self) -> Visit: ...
    @property
    def acq_time(self) -> str: ...
    @property
    def said(self) -> Said: ...


def write_sessions(root: Path, sessions: Sequence[Session], injected: frozenset[Visit], clinical: ClinicalRows) -> None:
    """``sessions.tsv`` of every subject, and the dictionaries of sessions and scans."""
    columns = [c for c in clinical.columns if any(c in row for row in clinical.sessions.values())]
    if not sessions:
        for name in ("scans.json", "sessions.json"):
            (root / name).unlink(missing_ok=True)
        return
    write_if_changed(root / "scans.json", json_bytes(_scans_dictionary()))
    own = {name: text for name, text in SESSION_COLUMNS.items() if name not in ("weight", *columns)}
    if any(s.said.weight != NOT_SAID for s in sessions) and "weight" not in columns:
        own["weight"] = SESSION_COLUMNS["weight"]
    by_subject: dict[str, list[Session]] = {}
    for session in sessions:
        by_subject.setdefault(session.visit.subject, []).append(session)
    for subject, members in by_subject.items():
        rows = []
        for session in sorted(members, key=lambda s: s.visit.session):
            visit = session.visit
            values = clinical.sessions.get((subject, visit.session), {})
            row = {
                "session_id": f"ses-{visit.session}",
                "acq_time": session.acq_time,
                "weight": session.said.weight,
                "days": "n/a" if visit.day is None else str(visit.day),
                "injection": "yes" if visit in injected else "n/a",
            }
            rows.append(row | {c: values.get(c, "n/a") for c in columns})
        names = ["session_id", "acq_time", *own, *columns]
        write_if_changed(root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv", tsv_bytes(names, rows, empty="n/a"))
    write_if_changed(root / "sessions.json", json_bytes(own | _clinical_dictionary(columns, clinical)))


def write_curation(root: Path, images: Iterable[Image], summary: Mapping[str, Any]) -> None:
    """The manifest and the counts of the export."""
    write_if_changed(root / "curation" / "manifest.parquet", manifest_bytes(images))
    write_if_changed(root / "curation" / "summary.json", json_bytes(summary))


def add_change(root: Path, day: str, sentences: Sequence[str]) -> None:
    """A new entry on top of ``CHANGES``, in the form of CPAN's changelog."""
    path = root / "CHANGES"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    number = sum(line[:1].isdigit() for line in old.splitlines())
    entry = f"1.0.{number} {day}\n" + "".join(f"  - {sentence}\n" for sentence in sentences)
    write_atomic(path, (entry + ("\n" + old if old else "")).encode())


def release_days(root: Path) -> list[str]:
    """The days (ISO 8601) of all releases that ``CHANGES`` names, the newest first."""
    try:
        lines = (root / "CHANGES").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.rpartition(" ")[2] for line in lines if line[:1].isdigit()]


def _scans_dictionary() -> dict[str, Any]:
    """What the columns of ``scans.tsv`` mean."""
    out: dict[str, Any] = {}
    for name in SCANS_COLUMNS[2:]:
        attribute = vocabulary().get(name)
        entry: dict[str, Any] = {"Description": SCAN_COLUMNS.get(name, f"{name} of the harmonised record")}
        if attribute is not None and attribute.kind == "word":
            entry["Levels"] = {value: value for value in attribute.values}
        out[name] = entry
    return out


SCAN_COLUMNS = {
    "acquisition_id": "The same word for all images of one scan of the session",
    "phase_time_s": "Seconds since the first phase of the dynamic acquisition",
    "bvalues": "b-values in s/mm2, in the order of the volumes",
    "confidence": "How certain the sequence is, from 0 to 1",
    "qc_verdict": "Verdict of the quality checks: pass, warn or waived",
}
PARTICIPANT_COLUMNS: dict[str, Any] = {
    "site": {"Description": "Where the participant was imaged, as a label"},
    "sex": {"Description": "Sex as the images' headers say", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "age": {"Description": "Age at the first session; 89 stands for 89 and over", "Units": "year"},
}
SESSION_COLUMNS: dict[str, Any] = {
    "days": {"Description": "Days since the participant's first session", "Units": "day"},
    "injection": {
        "Description": "Whether an image of the session was acquired with a contrast agent",
        "Levels": {"yes": "yes"},
    },
    "weight": {"Description": "Weight as the images' headers say, in whole kilograms", "Units": "kg"},
}


def _clinical_dictionary(columns: Sequence[str], clinical: ClinicalRows) -> dict[str, Any]:
    return {name: dictionary(clinical.described[name]) for name in columns}


def _public_configuration(trial: Trial) -> dict[str, Any]:
    """The configuration without paths, patterns or ids."""

    def way(rule: Any) -> str:
        return next((name for name in ("table", "path", "tag", "value") if getattr(rule, name, None)), "default")

    return {
        "trialbids": version("trialbids"),
        "trial": trial.trial,
        "subject": way(trial.subject),
        "session": way(trial.session),
        "site": way(trial.site),
        "protocol": trial.protocol_word,
        "tolerances": {key: limit.number for key, limit in trial.qc.tolerances.items()},
        "sites with tolerances": len(trial.qc.sites),
        "site rules": len(trial.rules),
        "keep": list(trial.keep),
        "de-identification": {
            "keep_dates": trial.keep_dates,
            "keep_times": trial.keep_times,
            "device": trial.device,
            "weight": trial.weight,
            "faces": "defaced" if trial.deface else trial.faces,
            "sourcedata": trial.sourcedata,
            "fields added": sorted(f.keyword for f in trial.fields.add),
            "fields dropped": sorted(trial.fields.drop),
            "generalise_age": trial.generalise_age,
            "suppress": sorted(trial.suppress),
        },
        "allow-list": allow_list().version,
    }
