"""A small trial for the tests of the review: a few series of two patients, one of them without any telling text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stackmaker import axial, write_series

from trialbids.exporter.deidentify.key import load_or_make_key
from trialbids.exporter.engine import Serial
from trialbids.exporter.pipeline import EditedPlan, Plan, plan_trial, scan_trial
from trialbids.exporter.places import make_private
from trialbids.exporter.progress import Silent
from trialbids.exporter.review.read import Signature
from trialbids.exporter.review.sheet import read_sheet
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial, load_trial

T2 = {"RepetitionTime": 4500.0, "EchoTime": 101.0, "EchoTrainLength": 15, "ScanningSequence": "SE"}
DARK = {"RepetitionTime": None, "EchoTime": None, "EchoTrainLength": None, "ScanningSequence": ""}


def small_trial(folder: Path) -> Trial:
    """Two patients: P1 with two T2w, two series named ``mystery`` and nothing else told; P2 with one of each."""
    source = folder / "incoming"
    for patient, kinds in (("P1", ("t2 sag", "t2 tra", "mystery", "mystery")), ("P2", ("t2 sag", "mystery"))):
        study = {"PatientID": patient, "PatientName": patient, "StudyInstanceUID": f"2.25.{patient[1]}77"}
        for number, text in enumerate(kinds, start=1):
            known = DARK if text == "mystery" else T2
            own = {"SeriesNumber": number, "SeriesDescription": text, "SeriesInstanceUID": f"2.25.{patient[1]}{number}"}
            write_series(source / f"{patient}-{number}", axial(3), **(study | known | own))
    (folder / "trial.yaml").write_text("sources: [incoming]\noutput: bids\nwork: work\nsite: {value: S01}\n")
    return load_trial(folder / "trial.yaml")


def plan(trial: Trial, edited: Path | None = None, by: str = "Anna Muster", date: str = "2026-01-02T03:04:05") -> Plan:
    """Plan the trial as the command does, with an edited copy of the plan where one is given."""
    make_private(trial.work)
    sheet = None if edited is None else EditedPlan(read_sheet(edited), Signature(by, date))
    inventory = scan_trial(trial, Serial(), Silent())
    return plan_trial(trial, inventory, load_or_make_key(trial.work), Silent(), sheet)


def rows(trial: Trial) -> list[dict[str, str]]:
    """The plan as it stands in the work folder."""
    return read_tsv(trial.work / "plan.tsv")


def of(table: Sequence[Mapping[str, str]], description: str) -> list[str]:
    """The ids of the stacks of this description, in the order of the plan."""
    return [row["stack_id"] for row in table if row["description"] == description]


def write_edited(path: Path, table: Sequence[Mapping[str, str]], changes: Mapping[tuple[str, str], str]) -> Path:
    """The plan as CSV, with the cells named by stack and column changed."""
    lines = [";".join(table[0])]
    for row in table:
        lines.append(";".join(changes.get((row["stack_id"], name), cell) for name, cell in row.items()))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
